/** Where Softmax runs in int8, where not, and what range its result has. */
import { describe, expect, it } from 'vitest';
import { targets } from '../../src/backends/targets/index.ts';
import { minmax } from '../../src/calibrate/observers/minmax.ts';
import { planProbes } from '../../src/calibrate/probes.ts';
import { findTarget } from '../../src/quantizable/scheme.ts';
import { gaussian } from '../quantized/make-quantized.ts';
import { planFor, quantize, run } from '../quantized/support.ts';
import { attention } from '../support/attention.ts';
import { node, scalar } from '../support/build.ts';

const x = { type: 'float32', dims: [1, 16, 32], data: gaussian(16 * 32, 3) } as const;

describe('Softmax', () => {
  it.each(['ort-cpu-x64', 'ort-cpu-x64-avx2', 'ort-cpu-arm64', 'ort-web', 'openvino'])(
    '%s: stays float, and with it all between the two products',
    async (name) => {
      const mask = [node('Add', ['scaled', 'low'], ['masked'], {}, { name: 'masked' })];
      const model = attention({ mask, initializers: { low: scalar('float32', -1) } });
      const target = findTarget(name);
      const plan = planFor(model, {}, target);
      expect(plan.float.map((each) => each.op)).toEqual(['Mul', 'Add', 'Softmax']);
      expect(plan.float.at(-1)!.reason).toContain('Softmax');
      expect(plan.regions.find((region) => region.node === 'scores')!.quantizedOutput).toBe(false);
      // The others are not of this machine.
      if (target.scheme.activationType === 'int8' || target.encoding.bias === 'float') return;
      const { types } = await run((await quantize(model, { x }, plan)).model, { x });
      expect(types.filter((type) => ['Softmax', 'Mul', 'Add', 'QLinearSoftmax', 'QLinearMul'].includes(type))).toEqual([
        'Mul',
        'Add',
        'Softmax',
      ]);
      // x, attention and the three products that codes leave: nothing is written twice.
      expect(types.filter((type) => type === 'QuantizeLinear')).toHaveLength(2);
    },
  );

  it('in int8 has the range that samples show, unless the kernel of the target insists on another', () => {
    for (const target of targets.filter(({ operators }) => operators?.includes('Softmax') ?? true)) {
      const plan = planFor(attention(), {}, { ...target, preferFloat: {} });
      const made = plan.tensors.find((tensor) => tensor.name === 'attention')!;
      expect([target.name, made.source]).toEqual([target.name, target.fixed['Softmax'] ? 'fixed' : 'observe']);
    }
  });

  it('is never negative: only its maximum is looked for', async () => {
    const [probe] = await planProbes(attention(), ['attention'], minmax, { x }, {});
    expect(probe!.columns).not.toContain('min');
  });
});
