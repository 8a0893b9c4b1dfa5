/**
 * Every operator between two int8 neighbours: the emitted graph loads and runs, onnxruntime really runs the operator on codes,
 * and the integer kernels agree with the simulation of the same graph in float.
 */
import { describe, expect, it } from 'vitest';
import { knownTypes } from '../../src/ops/index.ts';
import { i64, node } from '../support/build.ts';
import { build, cases, x, zNode } from './operator-cases.ts';
import { anyCpu, planFor, quantize, run, sqnr, steps } from './support.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';

describe('operators in int8', () => {
  for (const [name, example] of Object.entries(cases)) {
    const type = name.split(' ')[0]!;
    it(name, async () => {
      const model = build(example);
      const perTensor = (example.opset ?? 17) < 13;
      const plan = planFor(model, perTensor ? { perChannel: false } : {});
      const planned = plan.regions.find((region) => region.op === type || region.clamps.includes('n_z'));
      expect(planned, 'it stands in an int8 region').toBeDefined();
      if (perTensor) return;
      const { model: int8, activations } = await quantize(model, x, plan);
      const [real, simulated, original] = [
        await run(int8, x),
        await run(int8, x, { simulate: true }),
        await run(model, x),
      ];
      if (example.kernel)
        expect(
          real.types.some((t) => example.kernel!.includes(t)),
          real.types.join(),
        ).toBe(true);
      if (!example.island) for (const gone of example.gone ?? [type]) expect(real.types, gone).not.toContain(gone);
      // Each integer kernel may round its result to the neighbouring code; the last convolution sums 8 or 16 such codes.
      expect(steps(simulated.outputs['y']!, real.outputs['y']!, activations.get('y')!.scale)).toBeLessThanOrEqual(2.01);
      expect(sqnr(original.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(25);
    });
  }

  it('covers every operator qdq knows', () => {
    expect(knownTypes.filter((type) => !Object.keys(cases).some((name) => name.split(' ')[0] === type))).toEqual([]);
  });

  it('pads the codes themselves, also across a channel axis', async () => {
    const wide = {
      nodes: [zNode('Pad', ['a', 'pads'])],
      initializers: { pads: i64([0, 2, 0, 1, 0, 2, 1, 0]) },
      channels: 12,
    };
    const model = build(wide);
    const plan = planFor(model);
    expect(plan.regions.find(({ op }) => op === 'Pad')).toMatchObject({ onCodes: true });
    const { types } = await run((await quantize(model, x, plan)).model, x);
    // One pair on the input and output of the model; 16-bit codes cannot be padded.
    expect(types.filter((type) => /^(De)?[Qq]uantizeLinear$/.test(type))).toHaveLength(2);
    const wider = planFor(model, { activationType: 'uint16' });
    expect(wider.regions.find(({ op }) => op === 'Pad')).not.toHaveProperty('onCodes');
  });

  it('leaves a hard activation behind a Gemm in float: there is no kernel, and the Gemm can write float', () => {
    const { nodes, initializers } = cases['Gemm']!;
    const [flatten, gemm, reshape] = nodes as [NodeProto, NodeProto, NodeProto];
    const between = [flatten, { ...gemm, output: ['h'] }, node('HardSwish', ['h'], ['g']), reshape];
    const plan = planFor(build({ nodes: between, ...(initializers ? { initializers } : {}) }));
    const reasons = plan.float.map(({ op, reason }) => `${op}: ${reason}`);
    expect(reasons[0]).toMatch(/^HardSwish: onnxruntime has no int8 HardSwish kernel, and 'n_g' can write float$/);
  });

  it('has a reason for what it cannot do', () => {
    const model = build({ nodes: [zNode('Softplus', ['a'])] });
    const plan = planFor(model, {}, anyCpu);
    expect(plan.float).toMatchObject([{ node: 'n_z', op: 'Softplus', reason: 'qdq has no int8 form of Softplus' }]);
  });
});
