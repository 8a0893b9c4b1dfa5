import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSession } from '../../../src/backends/session.ts';
import { findQuantizers, runsOf, type Quantizer } from '../../../src/compare/layers/quantizers.ts';
import { ActivationTally } from '../../../src/compare/layers/tally.ts';
import { weightFacts } from '../../../src/compare/layers/weights.ts';
import { Tensor } from '../../../src/onnx/tensor.ts';
import { random } from '../../../src/data/random.ts';
import { buildModel, constant, f32, node, scalar } from '../../support/build.ts';

/** x → QuantizeLinear → DequantizeLinear → y */
const quantizing = (scale: number, zeroPoint: number, type: 'uint8' | 'int8', length: number) =>
  buildModel({
    inputs: { x: [length] },
    initializers: { s: scalar('float32', scale), z: scalar(type, zeroPoint) },
    nodes: [node('QuantizeLinear', ['x', 's', 'z'], ['q']), node('DequantizeLinear', ['q', 's', 'z'], ['y'])],
    outputs: { y: [length], q: { type, dims: [length] } },
  });
const quantizerOf = (scale: number, zeroPoint: number, type: 'uint8' | 'int8' = 'uint8'): Quantizer =>
  findQuantizers(quantizing(scale, zeroPoint, type, 1))[0]!;
const normal = (length: number, seed = 1): Float32Array => {
  const numbers = random(seed);
  return Float32Array.from({ length }, () => numbers.normal());
};

describe('the error of one quantizer', () => {
  it('is what onnxruntime makes of the same values, bit for bit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 1e-3, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: 255 }),
        fc.boolean(),
        fc.integer(),
        async (rawScale, zero, signed, seed) => {
          const scale = Math.fround(rawScale);
          const [type, zeroPoint] = signed ? (['int8', zero - 128] as const) : (['uint8', zero] as const);
          const x = normal(64, seed).map((each) => each * 40 * scale);
          const session = await openSession(quantizing(scale, zeroPoint, type, 64), {
            simulate: true,
            level: 'disabled',
          });
          const { y, q } = await session.run({ x: { type: 'float32', dims: [64], data: x } });
          await session.dispose();
          const tally = new ActivationTally(quantizerOf(scale, zeroPoint, type));
          tally.add(x, q!.data, [64], 64);
          const { isolated, accumulated, range } = tally.row();
          let [signal, noise] = [0, 0];
          x.forEach((value, i) => {
            signal += value * value;
            noise += (value - (y!.data[i] as number)) ** 2;
          });
          const sqnr = noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
          expect(isolated!.sqnrDb).toBe(sqnr);
          // The codes of that very quantizer: accumulated and isolated are one.
          expect(accumulated!.sqnrDb).toBe(sqnr);
          expect([range!.min, range!.max]).toEqual([Math.min(...x), Math.max(...x)]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('is 0.289 steps for values spread evenly over the codes', () => {
    const length = 100_000;
    const x = Float32Array.from({ length }, (_, i) => (255 * i) / length - 100);
    const tally = new ActivationTally(quantizerOf(1, 100));
    tally.add(x, new Uint8Array(length), [16, length / 16], length, 16);
    const { isolated } = tally.row();
    // 1/√12, to the granularity of 390 values per step.
    expect(isolated!.rmseOverScale).toBeCloseTo(Math.sqrt(1 / 12), 3);
    expect(isolated!.saturatedPct).toBe(0);
    // From -0.5 to 0.5 of 255 steps, 0 itself apart.
    expect(isolated!.zeroedPct).toBeCloseTo(100 / 255, 1);
  });

  it('counts what lies beyond the codes and tells clipping by more than half a step', () => {
    const tally = new ActivationTally(quantizerOf(0.01, 0));
    const x = Float32Array.from({ length: 100 }, (_, i) => (i < 90 ? 1 : 5));
    tally.add(x, new Uint8Array(100), [100], 100);
    const { isolated, range } = tally.row();
    expect(isolated!.saturatedPct).toBe(10);
    expect(isolated!.rmseOverScale).toBeCloseTo((Math.sqrt(0.1) * (5 - 2.55)) / 0.01, 2);
    expect(range).toMatchObject({ clipMin: 0, max: 5 });
    expect(range!.clipMax).toBeCloseTo(2.55, 6);
  });

  it('does not depend on how the samples were cut into batches, and leaves the filling out', () => {
    const x = normal(600);
    const codes = Uint8Array.from(x, (each) => Math.min(255, Math.max(0, Math.round(each / 0.02) + 128)));
    const whole = new ActivationTally(quantizerOf(0.02, 128));
    whole.add(x, codes, [6, 100], 600);
    const parts = new ActivationTally(quantizerOf(0.02, 128));
    for (let row = 0; row < 6; row += 2) {
      const [from, to] = [row * 100, row * 100 + 300];
      parts.add(x.subarray(from, to), codes.subarray(from, to), [3, 100], 200);
    }
    const { histogram, ...rest } = parts.row();
    const expected = whole.row();
    expect(histogram).toEqual(expected.histogram);
    expect(histogram!.counts.reduce((a, b) => a + b, 0)).toBe(600);
    expect(rest.isolated!.sqnrDb).toBeCloseTo(expected.isolated!.sqnrDb, 10);
    expect(rest.range).toEqual(expected.range);
  });

  it('finds the quantiles to the width of a bin', () => {
    const x = normal(200_000);
    const tally = new ActivationTally(quantizerOf(0.05, 128));
    tally.add(x, new Uint8Array(x.length), [32, x.length / 32], x.length, 32);
    const sorted = Float64Array.from(x).sort();
    const { range } = tally.row();
    // A bin is 0.4 % of its value wide.
    expect(Math.abs(range!.p01! / sorted[200]! - 1)).toBeLessThan(0.005);
    expect(Math.abs(range!.p999! / sorted[199_800]! - 1)).toBeLessThan(0.005);
  });

  it('leaves values out that are not finite, such as masks', () => {
    const tally = new ActivationTally(quantizerOf(1, 0));
    tally.add(Float32Array.of(1, -Infinity, 2, NaN), Uint8Array.of(1, 0, 2, 0), [4], 4);
    expect(tally.row()).toMatchObject({ isolated: { sqnrDb: Infinity }, range: { min: 1, max: 2 } });
  });
});

describe('weights', () => {
  const rows = (axis: number | undefined, scales: number[], attributes = {}) => {
    const parameters = axis === undefined ? [] : [scales.length];
    return buildModel({
      inputs: { x: [1, 3] },
      initializers: {
        w: constant('int8', [2, 3], [100, -50, 25, 127, -128, 0]),
        s: f32(parameters, scales),
        z: constant(
          'int8',
          parameters,
          scales.map(() => 0),
        ),
      },
      nodes: [
        node('DequantizeLinear', ['w', 's', 'z'], ['d'], axis === undefined ? {} : { axis, ...attributes }),
        node('Gemm', ['x', 'd'], ['y'], { transB: 1 }),
      ],
      outputs: { y: [1, 2] },
    });
  };

  it('are judged channel by channel', () => {
    const [quantizer] = findQuantizers(rows(0, [0.01, 0.1]));
    const float = Tensor.of('w', 'float32', [2, 3], Float32Array.of(1.004, -0.5, 0.25, 12.7, -20, 0.04));
    const { isolated, range, channels } = weightFacts(quantizer!, quantizer!.codes.constant!, float);
    expect(isolated!.saturatedPct).toBeCloseTo(100 / 6);
    expect(isolated!.zeroedPct).toBeCloseTo(100 / 6);
    expect(range!.min).toBe(-20);
    expect(range!.max).toBeCloseTo(12.7);
    expect(channels!.count).toBe(2);
    expect(channels!.shown.map(({ index }) => index)).toEqual([1, 0]);
    // Channel 0: error 0.004 in one of three weights.
    expect(channels!.shown[1]!.sqnrDb).toBeCloseTo(10 * Math.log10((1.004 ** 2 + 0.25 + 0.0625) / 0.004 ** 2), 2);
  });

  it('have ranges, but no error, when the float ones are not known', () => {
    const [quantizer] = findQuantizers(rows(undefined, [0.01]));
    const facts = weightFacts(quantizer!, quantizer!.codes.constant!, undefined);
    expect(facts.isolated).toBeUndefined();
    expect(facts.range!.min).toBeCloseTo(-1.28);
  });

  it('have one scale per block of the axis where blocks are asked for', () => {
    const blocked = { axis: 0, block: 2, scales: new Float32Array(2 * 3) } as unknown as Quantizer;
    const { outer, slots, inner, scaleAt } = runsOf(blocked, [4, 3]);
    expect([outer, slots, inner]).toEqual([1, 12, 1]);
    // ONNX: the scale of element [i, j] is scale[floor(i / block), j].
    for (let i = 0; i < 4; i++)
      for (let j = 0; j < 3; j++) expect(scaleAt(0, i * 3 + j)).toBe(Math.floor(i / 2) * 3 + j);
  });
});

describe('a large tensor', () => {
  it('is looked at in blocks that turn from sample to sample, whatever the batch', () => {
    const each = 100_000;
    const rows = 16;
    const x = normal(rows * each);
    const codes = Uint8Array.from(x, (value) => Math.min(255, Math.max(0, Math.round(value / 0.03) + 128)));
    const batched = new ActivationTally(quantizerOf(0.03, 128));
    batched.add(x, codes, [rows, each], rows * each, rows);
    const single = new ActivationTally(quantizerOf(0.03, 128));
    for (let i = 0; i < rows; i++) {
      single.add(x.subarray(i * each, (i + 1) * each), codes.subarray(i * each, (i + 1) * each), [1, each], each);
    }
    expect(batched.row()).toEqual(single.row());
    expect(batched.sums.count).toBeLessThan(2 * each);
    const all = new ActivationTally(quantizerOf(0.03, 128));
    for (let at = 0; at < rows * each; at += 8_000) {
      all.add(x.subarray(at, at + 8_000), codes.subarray(at, at + 8_000), [8_000], 8_000);
    }
    // 131,000 of 1,600,000 independent elements: the noise is known to about half a per cent.
    expect(batched.row().isolated!.sqnrDb).toBeCloseTo(all.row().isolated!.sqnrDb, 1);
  });
});
