/** Whole tensors that leave in blocks of channels give what they give in rows. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { blockSize } from '../../src/backends/blocked-conv.ts';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { observerOf } from '../../src/calibrate/observers/index.ts';
import { planProbes } from '../../src/calibrate/plan.ts';
import { StatisticsRun, type RunStatistics } from '../../src/calibrate/statistics-run.ts';
import { WholeReader } from '../../src/calibrate/whole.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { buildModel, f32, node } from '../support/build.ts';
import { datasetOf, floatSamples, floats, sha } from './samples.ts';

const wave = (dims: number[]) =>
  f32(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * i) / 8),
  );

/** 24 channels and 36, which fill no block, of 16 or of 8. */
const model = buildModel({
  inputs: { input: ['n', 3, 'h', 'w'] },
  initializers: { w1: wave([24, 3, 3, 3]), w2: wave([36, 24, 3, 3]), w3: wave([24, 36, 1, 1]) },
  nodes: [
    node('Conv', ['input', 'w1'], ['conv1'], { strides: [2, 2] }),
    node('Sigmoid', ['conv1'], ['gate']),
    node('Conv', ['gate', 'w2'], ['conv2'], { pads: [1, 1, 1, 1] }),
    node('Relu', ['conv2'], ['relu']),
    node('Conv', ['relu', 'w3'], ['conv3']),
    node('Add', ['conv3', 'gate'], ['sum']),
    node('GlobalAveragePool', ['sum'], ['mean']),
    node('Flatten', ['mean'], ['flat']),
  ],
  outputs: ['flat'],
});
const tensors = ['input', 'gate', 'relu', 'conv3', 'sum', 'mean', 'flat'];
const percentile = observerOf('percentile');
const image = (seed: number, side = 64): Record<string, TensorValue> => ({
  input: floats([1, 3, side, side], (i) => Math.sin(seed + i * i)),
});

async function open(runs: number): Promise<StatisticsRun> {
  const probes = await planProbes(model, tensors, percentile, image(0), {}, 'all');
  const { landing } = percentile.start(tensors.length, { exact: 1 });
  return StatisticsRun.open({
    ...{ model, probes, names: tensors, kept: [], byChannel: true, landing, options: { simulate: true }, runs },
  });
}

function plain({ values, suspect, elements }: RunStatistics) {
  const channels = values.channels.map((each) => each && [...each]);
  // In any order.
  const sorted = elements.map((each) => each!.data.slice().sort());
  return { min: [...values.min], max: [...values.max], channels, suspect, sorted };
}

afterEach(() => vi.restoreAllMocks());

describe('tensors in blocks', () => {
  it('have the same statistics and elements, images of other sizes included', async () => {
    const [rows, blocks] = [await open(1), await open(1000)];
    expect(await rows.refine(image(1), 0)).toBe(false);
    expect(await blocks.refine(image(1), 999)).toBe((await blockSize()) !== undefined);
    for (const feeds of [image(2), image(3), image(4, 96), image(5)]) {
      const found = [plain(await rows.run(feeds)), plain(await blocks.run(feeds))];
      expect(found[1]).toEqual(found[0]);
      expect(found[0]!.channels.filter((each) => each).length).toBeGreaterThan(3);
    }
    await Promise.all([rows.dispose(), blocks.dispose()]);
  });

  it('stay in rows when the two graphs do not agree', async () => {
    const run = await open(1000);
    const first = plain(await run.run(image(1)));
    const spy = vi.spyOn(WholeReader.prototype, 'read');
    spy.mockImplementationOnce(({ data }) => (data as Float32Array).subarray(1));
    expect(await run.refine(image(1), 998)).toBe(false);
    spy.mockRestore();
    expect(plain(await run.run(image(1)))).toEqual(first);
    await run.dispose();
  });

  it('stay in rows where the optimized graph cannot be written', async () => {
    vi.stubEnv('TMPDIR', '/nowhere/at/all');
    vi.stubEnv('TEMP', '/nowhere/at/all');
    const run = await open(1000);
    vi.unstubAllEnvs();
    expect(await run.refine(image(1), 999)).toBe(false);
    expect((await run.run(image(1))).elements).toHaveLength(tensors.length);
    await run.dispose();
  });

  it('end in the same state, merged from parts that are too short for it', async () => {
    const samples = floatSamples(40, [1, 3, 64, 64], 'input');
    const options = { modelSha256: sha, observer: 'percentile', observerOptions: { exact: 1 } };
    const states = await Promise.all(
      [samples, samples.slice(0, 21), samples.slice(21)].map((part) =>
        calibrate(model, tensors, datasetOf(part), { from: 0 }, options),
      ),
    );
    const [all, ...parts] = states.map(({ arrays }) => arrays);
    expect(parts.reduce((a, b) => percentile.merge(a, b))).toEqual(all);
  });
});
