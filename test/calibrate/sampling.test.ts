/** Ranges of sampled histograms against those of all elements, and states that do not depend on how samples are run. */
import { describe, expect, it } from 'vitest';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { mergeStates } from '../../src/calibrate/merge.ts';
import { observerOf } from '../../src/calibrate/observers/index.ts';
import type { Range } from '../../src/calibrate/ranges.ts';
import { encodeSafetensors } from '../../src/data/safetensors.ts';
import { rangesOf, type CalibrationState } from '../../src/calibrate/state.ts';
import type { Sample } from '../../src/data/sample.ts';
import type { Model } from '../../src/graph/model.ts';
import { elementCount } from '../../src/onnx/data-types.ts';
import { buildModel, f32, node } from '../support/build.ts';
import { datasetOf, floats, sha } from './samples.ts';

/** About normal, the same for the same numbers. */
function noise(seed: number, at: number): number {
  const uniform = (x: number): number => {
    const mixed = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
    return (((mixed ^ (mixed >>> 12)) >>> 0) + 0.5) / 2 ** 32;
  };
  const [a, b] = [uniform(at * 2 + 1 + seed * 7919), uniform(Math.imul(at + 77, 0x9e3779b1) + seed)];
  return Math.sqrt(-2 * Math.log(a)) * Math.cos(2 * Math.PI * b);
}

const count = 6;
/** By seed; as many as the largest tensor needs. */
const noises = Array.from({ length: count }, (_, seed) =>
  Float32Array.from({ length: 110_000 }, (__, at) => noise(seed, at)),
);

/** Samples whose elements are loud where `loudness` says so. */
function samplesOf(dims: readonly number[], loudness: (at: number) => number): Sample[] {
  return noises.map((quiet, seed) => ({
    id: `sample ${seed}`,
    inputs: { x: floats(dims, (at) => quiet[at]! * loudness(at)) },
  }));
}

async function rangeOf(dims: readonly number[], samples: readonly Sample[], exact: number): Promise<Range> {
  const model = buildModel({ inputs: { x: dims }, nodes: [node('Neg', ['x'], ['y'])], outputs: ['y'] });
  const settings = { modelSha256: sha, observer: 'mse', observerOptions: { exact } };
  return rangesOf(await calibrate(model, ['x'], datasetOf(samples), { from: 0 }, settings)).get('x')!;
}

/** The mean squared error of 8 bits. */
function errorOf({ min, max }: Range, samples: readonly Sample[]): number {
  const step = (max - min) / 255;
  const [lowest, highest] = [Math.round(min / step), Math.round(min / step) + 255];
  let [sum, elements] = [0, 0];
  for (const { inputs } of samples) {
    for (const x of inputs['x']!.data as Float32Array) {
      const code = Math.min(Math.max(Math.round(x / step), lowest), highest);
      sum += (x - code * step) ** 2;
      elements++;
    }
  }
  return sum / elements;
}

/** Within 5 % of the range of all elements, or of its error where it clips: there the least error is broad. */
async function expectAsGood(dims: readonly number[], loudness: (at: number) => number, what: string): Promise<void> {
  const samples = samplesOf(dims, loudness);
  const [sampled, all] = [await rangeOf(dims, samples, 0), await rangeOf(dims, samples, 1)];
  const width = Math.abs(sampled.max - sampled.min - (all.max - all.min)) / (all.max - all.min);
  if (width > 0.05) expect(errorOf(sampled, samples) / errorOf(all, samples), what).toBeLessThan(1.05);
}

const layouts: [string, number[]][] = [
  ['NCHW', [1, 24, 26, 26]],
  ['NHWC', [1, 26, 26, 24]],
  ['heads', [1, 4, 65, 64]],
  ['tokens', [1, 33, 512]],
  ['signal', [1, 32, 500]],
  ['volume', [1, 16, 5, 14, 14]],
];

describe('a sampled histogram', () => {
  it.each(layouts)('sees a loud index of every axis, wherever it stands: %s', async (layout, dims) => {
    for (const [axis, dim] of dims.entries()) {
      if (dim === 1) continue;
      const inner = elementCount(dims.slice(axis + 1));
      for (const loud of [0, Math.floor(dim / 3), dim - 1])
        await expectAsGood(dims, (at) => (Math.floor(at / inner) % dim === loud ? 30 : 1), `${layout} ${axis} ${loud}`);
    }
  });

  it.each(layouts)('knows a loud element that stands at one place: %s', async (layout, dims) => {
    const elements = elementCount(dims);
    for (const place of [1, 7 * 31, elements - 1])
      for (const loudness of [20, 400])
        await expectAsGood(dims, (at) => (at === place ? loudness : 1), `${layout} ${place} x ${loudness}`);
  });

  it('knows it behind a convolution, whose image is pooled first', async () => {
    const dims = [1, 16, 80, 80];
    const conv = buildModel({
      inputs: { x: dims },
      initializers: {
        w: f32(
          [16, 1, 1, 1],
          Array.from({ length: 16 }, () => 1),
        ),
      },
      nodes: [node('Conv', ['x', 'w'], ['c'], { group: 16 }), node('Relu', ['c'], ['y'])],
      outputs: ['y'],
    });
    const place = 5 * 6400 + 33 * 80 + 41;
    const samples = samplesOf(dims, (at) => (at === place ? 300 : 1)).map(({ id, inputs }) => ({
      id,
      inputs: { x: { ...inputs['x']!, data: (inputs['x']!.data as Float32Array).map(Math.abs) } },
    }));
    const range = async (exact: number) =>
      rangesOf(
        await calibrate(
          conv,
          ['y'],
          datasetOf(samples),
          { from: 0 },
          {
            ...{ modelSha256: sha, observer: 'mse', observerOptions: { exact } },
          },
        ),
      ).get('y')!;
    const [sampled, all] = [await range(0), await range(1)];
    expect(errorOf(sampled, samples) / errorOf(all, samples)).toBeLessThan(1.05);
  });
});

describe('the state', () => {
  const settings = { modelSha256: sha, observer: 'percentile' } as const;
  const bytesOf = (state: CalibrationState): Buffer =>
    Buffer.from(encodeSafetensors({ arrays: state.arrays, metadata: {} }));
  const tokens = (samples: number, length: (i: number) => number): Sample[] =>
    Array.from({ length: samples }, (_, i) => ({
      id: `text ${i}`,
      inputs: { x: floats([1, length(i), 768], (at) => noise(i, at)) },
    }));
  const negated = (dims: (number | string)[]): Model =>
    buildModel({ inputs: { x: dims }, nodes: [node('Neg', ['x'], ['y'])], outputs: ['y'] });
  /** In one run, and of parts that are merged backwards. */
  async function bothWays(model: Model, samples: readonly Sample[], parts: readonly (readonly number[])[]) {
    const run = (selection: readonly number[]) =>
      calibrate(model, ['x', 'y'], datasetOf(samples), selection, { ...settings, batchSize: 3 });
    const whole = await run(samples.map((_, i) => i));
    const states = await Promise.all(parts.map(run));
    const merged = states.map(({ arrays }) => arrays).reduceRight((a, b) => observerOf('percentile').merge(a, b));
    return [bytesOf(whole), bytesOf({ ...whole, arrays: merged })] as const;
  }

  it('is the same whatever samples share a run of a fixed batch', async () => {
    const [whole, merged] = await bothWays(
      negated([3, 31, 768]),
      tokens(7, () => 31),
      [[0, 2, 4, 6], [1, 5], [3]],
    );
    expect(merged.equals(whole)).toBe(true);
  });

  it('is the same whichever of samples of different shapes comes first', async () => {
    const [whole, merged] = await bothWays(
      negated(['n', 's', 768]),
      tokens(6, (i) => 9 + 13 * i),
      [[5], [0, 3], [1, 2, 4]],
    );
    expect(merged.equals(whole)).toBe(true);
  });

  it('of an earlier release is read as it was, and merged with its like only', async () => {
    const observer = observerOf('mse');
    const now = await calibrate(negated([1, 64, 768]), ['x'], datasetOf(tokens(2, () => 64)), { from: 0 }, settings);
    const { peakPages: _, peakCounts: __, seen: ___, ...before } = now.arrays;
    const old = observer.decode(before, 1)!;
    expect(old).toEqual(before);
    expect(observer.finish(observer.merge(old, old), { p: 2, bits: 8 })).toHaveLength(1);
    const shard = (index: number, arrays: CalibrationState['arrays']) => ({
      path: `shard${index}`,
      state: { ...now, arrays, shards: { count: 2, parts: [{ index, samples: 1, idsHash: sha }] } },
    });
    expect(mergeStates([shard(1, old), shard(2, old)]).samples).toBe(4);
    expect(() => mergeStates([shard(1, old), shard(2, now.arrays)])).toThrow(
      expect.objectContaining({ code: 'MERGE_ARRAYS' }),
    );
  });
});
