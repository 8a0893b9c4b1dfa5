/** The registry of formats, what it refuses, and the integer types of QDQ. */
import { describe, expect, it } from 'vitest';
import { ortCpuX64 } from '../../../src/backends/targets/onnxruntime-cpu.ts';
import type { Scheme } from '../../../src/backends/targets/target.ts';
import { settings } from '../../../src/settings/settings.ts';
import type { FormatFlags } from '../../../src/quantized/format.ts';
import { configureFormat, formats } from '../../../src/quantized/formats/index.ts';
import { schemeRequest } from '../../../src/pipeline/scheme.ts';
import { build, cases, x } from '../operator-cases.ts';
import { make } from '../make-quantized.ts';
import { anyCpu, run, sqnr } from '../support.ts';

describe('the registry of formats', () => {
  it('is what --format takes', () => {
    expect(formats.map(({ name }) => name).toSorted()).toEqual([...settings.format.choices!].toSorted());
  });

  it('describes every form, and knows its flags', () => {
    for (const { name, summary } of formats) {
      const form = configureFormat(name, ortCpuX64.scheme, {});
      expect(form.format).toBe(name);
      expect(form.description.length).toBeGreaterThan(5);
      expect(summary).not.toMatch(/[^.]\.$/);
    }
  });

  it('refuses names and flags with the nearest or the right one', () => {
    const form = (name: string, flags: FormatFlags) => () => configureFormat(name, ortCpuX64.scheme, flags);
    expect(form('dynamik', {})).toThrow(
      expect.objectContaining({ code: 'FORMAT_UNKNOWN', hint: expect.stringContaining('dynamic') }),
    );
    expect(form('qdq', { blockSize: 32 })).toThrow(
      expect.objectContaining({
        code: 'FORMAT_FLAG',
        message: expect.stringContaining('--block-size'),
        hint: expect.stringContaining('weight-only'),
      }),
    );
    expect(form('fp16', { symmetric: true })).toThrow(expect.objectContaining({ code: 'FORMAT_FLAG' }));
    expect(form('dynamic', { activationType: 'int8' })).toThrow(expect.objectContaining({ code: 'FORMAT_FLAG' }));
  });

  it('refuses types without kernels by name', () => {
    const scheme: Scheme = { ...ortCpuX64.scheme, weightType: 'int4' };
    for (const name of ['dynamic', 'qoperator']) {
      expect(() => configureFormat(name, scheme, {})).toThrow(expect.objectContaining({ code: 'FORMAT_TYPES' }));
    }
    expect(() => schemeRequest({ weightType: 'f8' })).toThrow(expect.objectContaining({ code: 'FORMAT_FLOAT8' }));
  });
});

describe('integer types of QDQ', () => {
  // Weights of 15 levels: step = max / 7, 19 dB for each of three layers in a row with sums that cancel. 16 bits are limited by the 8-bit weights.
  for (const [weightType, activationType, bound] of [
    ['int4', 'uint8', 10],
    ['uint4', 'uint8', 10],
    ['int8', 'uint16', 30],
    ['int8', 'int16', 30],
    ['int16', 'uint16', 55],
  ] as const) {
    it(`${weightType} weights, ${activationType} activations`, async () => {
      const model = build(cases['Conv']!);
      const target = {
        ...anyCpu,
        scheme: { ...anyCpu.scheme, weightRange: 'full', weightType, activationType } as const,
      };
      const { model: made } = await make('qdq', model, { target, feeds: x });
      made.opsets.set('', 21);
      const stored = made.graph.values.get('w_quantized')!.constant!;
      expect(stored.type.name).toBe(weightType);
      expect(stored.byteLength).toBe((8 * 8 * 9 * stored.type.bits) / 8);
      const [expected, real] = [await run(model, x), await run(made, x)];
      expect(sqnr(expected.outputs['y']!, real.outputs['y']!)).toBeGreaterThan(bound);
    });
  }
});
