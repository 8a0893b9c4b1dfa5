/** What a calibration tells of itself: exact under merging, found in a real run, and silent where it cannot know. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calibrate, type CalibrateOptions } from '../../src/calibrate/calibrate.ts';
import { confirmConstants, healthOf } from '../../src/calibrate/health-findings.ts';
import { foldOf } from '../../src/calibrate/health.ts';
import { observerOf } from '../../src/calibrate/observers/index.ts';
import type { BatchStatistics, ObserverState } from '../../src/calibrate/observers/observer.ts';
import { encodeSafetensors } from '../../src/data/safetensors.ts';
import type { Model } from '../../src/graph/model.ts';
import { buildModel, f32, i64, node } from '../support/build.ts';
import { datasetOf, floats, sha } from './samples.ts';

const minmax = observerOf('minmax');
const number = fc.float({ noNaN: true, noDefaultInfinity: true, min: -4, max: 4 });
/** Two tensors, of which the first has two channels. */
const sample: fc.Arbitrary<BatchStatistics> = fc
  .record({ fold: fc.integer({ min: 0, max: 9 }), a: fc.constantFrom(0, 1, 2), b: number, c: number })
  .map(({ fold, a, b, c }) => ({
    fold,
    min: Float32Array.of(Math.min(a, b, 0), c),
    max: Float32Array.of(Math.max(a, b), c),
    channels: [Float32Array.of(a, b), undefined],
  }));
const some = fc.array(sample, { maxLength: 4 });

function stateOf(samples: readonly BatchStatistics[]): ObserverState {
  const accumulator = minmax.start(2, {});
  for (const each of samples) accumulator.add(each);
  return accumulator.state();
}

function bytesOf(arrays: ObserverState): Buffer {
  return Buffer.from(encodeSafetensors({ arrays, metadata: {} }));
}

describe('the arrays', () => {
  it('merge to the same bits in any order and grouping, with the empty state as neutral element', () => {
    fc.assert(
      fc.property(some, some, some, (x, y, z) => {
        const [a, b, c] = [stateOf(x), stateOf(y), stateOf(z)];
        const whole = bytesOf(stateOf([...z, ...x, ...y]));
        expect(bytesOf(minmax.merge(minmax.merge(a, b), c)).equals(whole)).toBe(true);
        expect(bytesOf(minmax.merge(c, minmax.merge(b, a))).equals(whole)).toBe(true);
        expect(bytesOf(minmax.merge(stateOf([]), a)).equals(bytesOf(a))).toBe(true);
      }),
    );
  });

  it('are read back whole or not at all; ranges of other tools come without', () => {
    const state = stateOf([
      { fold: 3, min: Float32Array.of(0, 0), max: Float32Array.of(1, 2), channels: [Float32Array.of(1, 0), undefined] },
    ]);
    expect(minmax.decode({ ...state }, 2)).toEqual(state);
    expect(minmax.decode({ min: state['min']!, max: state['max']! }, 2)).toEqual({
      min: state['min'],
      max: state['max'],
    });
    for (const key of Object.keys(state))
      expect(minmax.decode({ ...state, [key]: state[key]!.slice(1) }, 2), key).toBeUndefined();
  });
});

/** Channels of y: alive, dead, constant, and one that always reaches the limit of the Clip. */
const model = buildModel({
  inputs: { x: ['n', 1, 4, 4] },
  initializers: {
    w: f32([4, 1, 1, 1], [1, 1, 0, 100]),
    b: f32([4], [0, -100, 0.5, 50]),
    low: f32([], [0]),
    high: f32([], [6]),
  },
  nodes: [node('Conv', ['x', 'w', 'b'], ['a']), node('Clip', ['a', 'low', 'high'], ['y'])],
  outputs: ['y'],
});
const tensors = ['x', 'y'];
const image = (i: number, height = 1) => ({
  id: `image${i}`,
  inputs: { x: floats([1, 1, 4, 4], (j) => height * Math.abs(Math.sin(j * 12.9898 + i * 3.7))) },
});
const plain = Array.from({ length: 40 }, (_, i) => image(i));

async function observe(samples: readonly ReturnType<typeof image>[], options: Partial<CalibrateOptions> = {}) {
  const selection = samples.map((_, i) => i);
  return calibrate(model, tensors, datasetOf(samples), selection, { modelSha256: sha, ...options });
}

async function healthOfModel(padded: Model) {
  const state = await calibrate(padded, ['y'], datasetOf(plain), [...plain.keys()], { modelSha256: sha });
  return healthOf(['y'], state.arrays, state.samples);
}

async function healthIn(samples: readonly ReturnType<typeof image>[], options: Partial<CalibrateOptions> = {}) {
  const { arrays, samples: count } = await observe(samples, options);
  return healthOf(tensors, arrays, count);
}

describe.each(['minmax', 'percentile', 'average'])('health with observer %s', (observer) => {
  it('finds dead and constant channels, and takes a limit that is always reached for neither', async () => {
    const health = await healthIn(plain, { observer });
    expect(health).toMatchObject({
      samples: 40,
      tensors: 2,
      byChannel: 1,
      growing: [],
      outliers: [],
      dead: [{ tensor: 'y', channels: 1, of: 4, which: [1] }],
      constant: [{ tensor: 'y', channels: 1, of: 4, which: [2] }],
    });
  });

  it('finds the sample that stretches a range, whatever its place', async () => {
    const stretched = [...plain.slice(0, 7), image(7, 60), ...plain.slice(8)];
    const health = await healthIn(stretched, { observer });
    // Of the ten folds one loses nearly the whole range of x; y is limited to 6.
    expect(health!.growing).toHaveLength(1);
    expect(health!.growing[0]!.tensor).toBe('x');
    expect(health!.growing[0]!.share).toBeCloseTo(0.1 * (1 - 1 / 60), 3);
    expect(health!.outliers.map(({ tensor }) => tensor)).toEqual(['x']);
    expect(health!.outliers[0]!.ratio).toBeGreaterThan(4);
    expect(await healthIn(stretched.toReversed(), { observer })).toEqual(health);
  });

  it('is the same of two merged halves', async () => {
    const [a, b] = [await observe(plain.slice(0, 13), { observer }), await observe(plain.slice(13), { observer })];
    const merged = observerOf(observer).merge(a.arrays, b.arrays);
    expect(bytesOf(merged)).toEqual(bytesOf((await observe(plain, { observer })).arrays));
  });
});

describe('confirmConstants', () => {
  it('drops a channel that only reaches the same maximum, here at its padded border', async () => {
    const padded = buildModel({
      inputs: { x: ['n', 1, 4, 4] },
      initializers: {
        w: f32(
          [3, 1, 3, 3],
          [-1, 0, 1].flatMap((each) => Array.from({ length: 9 }, () => each)),
        ),
        b: f32([3], [3, 2, 0]),
        pads: i64([0, 0, 3, 3, 0, 0, 3, 3]),
      },
      nodes: [node('Pad', ['x', 'pads'], ['p']), node('Conv', ['p', 'w', 'b'], ['a']), node('Relu', ['a'], ['y'])],
      outputs: ['y'],
    });
    const [health, dataset] = [await healthOfModel(padded), datasetOf(plain)];
    expect(health).toMatchObject({ constant: [{ tensor: 'y', which: [0, 1] }] });
    expect(await confirmConstants(health, padded, dataset, [0], {})).toEqual({
      ...health,
      constant: [{ tensor: 'y', channels: 1, of: 3, which: [1] }],
    });
  });
});

describe('health', () => {
  it('says nothing of few samples, of batches, or of shards of which some ran in batches', async () => {
    expect(await healthIn(plain.slice(0, 19))).toBeUndefined();
    expect(await healthIn(plain, { batchSize: 4 })).toBeUndefined();
    const [a, b] = [await observe(plain.slice(0, 20)), await observe(plain.slice(20), { batchSize: 4 })];
    expect(healthOf(tensors, minmax.merge(a.arrays, b.arrays), 40)).toBeUndefined();
    expect(healthOf(tensors, { min: new Float32Array(2), max: new Float32Array(2) }, 40)).toBeUndefined();
  });

  it('spreads ids evenly over the folds', () => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) counts[foldOf(`folder/${i}.jpg`)]!++;
    // Binomial: 1000 with a deviation of 30.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
