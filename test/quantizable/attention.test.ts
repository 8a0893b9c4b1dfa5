/** Attention in the ways in which exporters write it is one thing, with one reason. */
import { describe, expect, it } from 'vitest';
import { findTarget } from '../../src/quantizable/scheme.ts';
import { planFor } from '../quantized/support.ts';
import { attention } from '../support/attention.ts';
import { node, scalar } from '../support/build.ts';
import { masks } from '../support/masks.ts';

const cpu = findTarget('ort-cpu-x64');
const guard = [
  node('IsNaN', ['attention'], ['nan'], {}, { name: 'nan' }),
  node('Where', ['nan', 'zero', 'attention'], ['guarded'], {}, { name: 'guarded' }),
];

describe('attention', () => {
  it.each(Object.entries(masks))('%s: every node between the products has the reason of the Softmax', (_, options) => {
    const { zero = scalar('float32', 0), ...others } = options.initializers ?? {};
    const model = attention({ tokens: 8, ...options, guard, initializers: { ...others, zero } });
    const { float } = planFor(model, {}, cpu);
    expect(new Set(float.map(({ reason }) => reason)).size).toBe(1);
    expect(float[0]!.reason).toMatch(/^attention: onnxruntime's int8 Softmax takes/);
    expect(float.map((each) => each.node)).toEqual(
      expect.arrayContaining(['scaled', 'masked', 'attention', 'nan', 'guarded']),
    );
  });

  it('leaves the words of the user, and a Softmax that is none', () => {
    const { float } = planFor(attention({ tokens: 8 }), {}, cpu, undefined, ['scaled']);
    expect(float.map(({ op, reason }) => `${op}: ${reason.slice(0, 8)}`)).toEqual([
      'Mul: excluded',
      'Softmax: attentio',
    ]);
  });

  it('says nothing where the target runs it in int8', () => {
    expect(planFor(attention({ tokens: 8 }), {}, { ...cpu, preferFloat: {} }).float).toEqual([]);
  });
});
