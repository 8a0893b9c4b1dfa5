/** Fake-quantized models: what stands where, in how many bits, and that it computes what the definition says. */
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/onnx/tensor.ts';
import { findFakeQuants } from '../../src/qat/fake-quant.ts';
import { run } from '../quantized/support.ts';
import { eight, fakeQuantized, four, images, residual } from './support.ts';

const bitsOf = ({ limits }: { limits: { qmin: number; qmax: number } }): number =>
  Math.ceil(Math.log2(limits.qmax - limits.qmin + 1));

describe('a fake-quantized model', () => {
  it('keeps weights float, behind a quantizer each; biases have none', async () => {
    const feeds = { x: images(4) };
    const prepared = await fakeQuantized(residual(), feeds);
    const fakes = findFakeQuants(prepared);
    const constant = fakes.filter(({ input }) => input.isConstant).map(({ input }) => input.name);
    expect(constant.sort()).toEqual(['w1', 'w2', 'w3', 'w4']);
    expect(fakes.find(({ input }) => input.name === 'w1')).toMatchObject({ axis: 0, type: 'int8' });
    expect(fakes.find(({ input }) => input.name === 'w4')).toMatchObject({ axis: 1 });
    for (const { input } of fakes.filter((fake) => fake.input.isConstant)) expect(input.type).toBe('float32');
    const gemm = [...prepared.allNodes()].find((node) => node.is('Gemm'))!;
    expect(gemm.constant(2)).toBeDefined();
  });

  it('gives a channel of zeros a step that suits its bias: so it is trained, and so it runs', async () => {
    const model = residual();
    const zeroed = model.graph.values.get('w2')!;
    zeroed.initializer = Tensor.of('w2', 'float32', [8, 8, 3, 3], zeroed.constant!.floats().fill(0, 72, 144));
    model.graph.values.get('w2_b')!.initializer = Tensor.of('w2_b', 'float32', [8], new Float32Array(8).fill(0.37));
    const prepared = await fakeQuantized(model, { x: images(4) });
    const fakes = findFakeQuants(prepared);
    const weight = fakes.find(({ input }) => input.name === 'w2')!.scale.constant!.floats()[1]!;
    const input = fakes.find(({ input: { name } }) => name === 'r1')!.scale.constant!.floats()[0]!;
    expect(0.37 / (weight * input)).toBeCloseTo(2 ** 20, -2);
  });

  it('has few bits where weights multiply, all of them in sums, and 8 at both ends', async () => {
    const prepared = await fakeQuantized(residual(), { x: images(4) }, four);
    const bits = new Map(findFakeQuants(prepared).map((fake) => [fake.input.name, bitsOf(fake)]));
    expect(bits.get('w1')).toBe(8);
    expect(bits.get('w2')).toBe(4);
    expect(bits.get('w4')).toBe(8);
    expect(bits.get('x')).toBe(8);
    expect(bits.get('r2')).toBe(4);
    // Read by a sum and by a layer: wide, and narrow from there.
    expect(bits.get('r1')).toBe(8);
    const narrow = findFakeQuants(prepared).find(({ input }) => input.name.startsWith('r1_Dequantize'))!;
    expect(bitsOf(narrow)).toBe(4);
    expect([...narrow.dequantize[0]!.output()!.users.keys()].map((node) => node.opType)).toEqual(['Conv']);
  });

  it.each([2, 4, 7, 9, 12, 16])('%i bits: at most 2^bits values', async (bits) => {
    const wide = bits > 8;
    const prepared = await fakeQuantized(
      residual(),
      { x: images(4) },
      { weights: bits, activations: bits, firstLast: bits },
      wide ? { activationType: 'uint16', weightType: 'int16' } : {},
    );
    if (wide) prepared.opsets.set('', 21);
    const { dequantize } = findFakeQuants(prepared).find(({ input }) => input.name === 'r2')!;
    prepared.graph.addOutput(dequantize[0]!.output()!);
    const { outputs } = await run(prepared, { x: images(4) }, { simulate: true });
    const values = new Set(outputs[dequantize[0]!.output()!.name]!.data as Float32Array);
    expect(values.size).toBeLessThanOrEqual(2 ** bits);
    expect(values.size).toBeGreaterThan(bits === 2 ? 3 : 2 ** Math.min(bits - 1, 8));
  });

  it('at 16 bits it is the float model, nearly', async () => {
    const feeds = { x: images(4) };
    const sixteen = { weights: 16, activations: 16, firstLast: 16 };
    const prepared = await fakeQuantized(residual(), feeds, sixteen, {
      activationType: 'uint16',
      weightType: 'int16',
    });
    prepared.opsets.set('', 21);
    const [{ outputs: a }, { outputs: b }] = [
      await run(residual(), feeds),
      await run(prepared, feeds, { simulate: true }),
    ];
    const [x, y] = [a['y']!.data as Float32Array, b['y']!.data as Float32Array];
    x.forEach((value, i) => expect(y[i]).toBeCloseTo(value, 2));
  });

  it('reads what is not quantized in float', async () => {
    const prepared = await fakeQuantized(residual(), { x: images(4) }, eight, {}, ['Add']);
    const add = [...prepared.allNodes()].find((node) => node.is('Add'))!;
    // Conv writes codes only where they are read.
    expect(add.input(0)!.producer!.opType).toMatch(/Conv|DequantizeLinear/);
    expect(findFakeQuants(prepared).map(({ input }) => input.name)).not.toContain('sum');
  });
});
