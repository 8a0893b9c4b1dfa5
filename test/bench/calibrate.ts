/**
 * What calibration costs: time over plain inference of the same samples, memory as the number of samples grows, and what a second
 * worker brings. Run it compiled: memory and workers are measured in processes of their own, which start this very file.
 *
 * Times of one thread are CPU time of the process, the garbage collector's threads included: on a machine that others use, wall
 * time says more of them. Only workers are measured by the clock. Rounds alternate, and the ratio is the median of theirs.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openSession } from '../../src/backends/session.ts';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { foldOf } from '../../src/calibrate/health.ts';
import { observerOf, observers } from '../../src/calibrate/observers/index.ts';
import { planProbes } from '../../src/calibrate/probes.ts';
import { StatisticsRun } from '../../src/calibrate/statistics-run.ts';
import { random } from '../../src/data/random.ts';
import type { Dataset } from '../../src/data/sample.ts';
import type { Model } from '../../src/graph/model.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { encodeModel } from '../../src/onnx/model-file.ts';
import { tensorsOfAnyPlan } from '../../src/pipeline/calibrate/calibrate.ts';
import { mobilenet, resnet } from '../support/networks.ts';
import { transformer } from '../support/transformer.ts';
import { measure, median, result, type BenchResult } from './bench.ts';

const memoryGoal = 1.05;
const workersGoal = 1 / 1.5;
const [few, many] = [16, 1024] as const;
const workerSamples = 768;

interface Network {
  readonly name: string;
  readonly model: () => Model;
  readonly feeds: Readonly<Record<string, TensorValue>>;
  readonly rounds: number;
  /** Runs per round: enough that the clock of CPU time is fine enough. */
  readonly runs: number;
  /** Ratios that must not be exceeded. */
  readonly goals: Readonly<Record<'minmax' | 'sampled' | 'exact', number>>;
}

const networks: readonly Network[] = [
  {
    name: 'ResNet-50-like',
    model: () => resnet(),
    feeds: { input: image(224) },
    ...{ rounds: 15, runs: 2, goals: { minmax: 1.1, sampled: 1.25, exact: 1.6 } },
  },
  {
    name: 'MobileNetV2-like',
    model: () => mobilenet(),
    feeds: { input: image(224) },
    ...{ rounds: 25, runs: 8, goals: { minmax: 1.1, sampled: 1.6, exact: 2.9 } },
  },
  {
    name: 'BERT-like, 2 layers, 128 tokens',
    model: () => transformer(),
    feeds: {
      ids: {
        type: 'int64',
        dims: [1, 128],
        data: BigInt64Array.from({ length: 128 }, (_, i) => BigInt((37 * i) % 1000)),
      },
    },
    ...{ rounds: 20, runs: 4, goals: { minmax: 1.1, sampled: 1.6, exact: 1.6 } },
  },
];

export async function run(): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for (const network of networks) {
    results.push(await overInference(network, 'minmax', 'minmax', {}));
    results.push(await overInference(network, 'sampled', 'percentile', {}));
    results.push(await overInference(network, 'exact', 'percentile', { exact: 1 }));
  }
  results.push(await secondWorker());
  for (const { id } of observers) results.push(await memoryGrowth(id));
  return results;
}

async function overInference(
  { name, model: build, feeds, rounds, runs, goals }: Network,
  kind: keyof Network['goals'],
  id: string,
  settings: Readonly<Record<string, number>>,
): Promise<BenchResult> {
  const model = build();
  const names = tensorsOfAnyPlan(model);
  const observer = observerOf(id);
  const elements = observer.elements ? (settings['exact'] === 1 ? 'all' : 'sampled') : 'none';
  const probes = await planProbes(model, names, observer, feeds, {}, elements);
  const accumulator = observer.start(names.length, settings);
  const plain = await openSession(model);
  const { memory } = accumulator;
  const statistics = await StatisticsRun.open({
    model,
    probes,
    names,
    kept: [],
    byChannel: true,
    memory,
    options: { simulate: true },
  });
  let refined = false;
  let samples = 0;
  const observe = async (refine: boolean): Promise<void> => {
    // As calibrate.ts does for each sample.
    const id = `sample ${samples++}`;
    const run = await statistics.run(feeds, [id]);
    const elements = run.elements.map((each) => each?.data);
    const strides = run.elements.map((each) => each?.stride ?? 1);
    accumulator.add({ ...run.values, fold: foldOf(id), elements, strides });
    // As in a long calibration: the first looks come early and cost a session.
    if (refine) refined = (await statistics.refine(feeds, Infinity)) || refined;
  };
  for (let warm = 0; warm < 9; warm++) await observe(true);
  const times: [number[], number[]] = [[], []];
  for (let round = -2; round < rounds; round++) {
    const spent = [await cpu(runs, () => plain.run(feeds)), await cpu(runs, () => observe(false))];
    if (round >= 0) spent.forEach((each, side) => times[side]!.push(each / runs));
  }
  await Promise.all([plain.dispose(), statistics.dispose()]);
  const [inference, calibration] = times;
  const ratio = median(calibration.map((each, round) => each / inference[round]!));
  const full = refined ? ', in a second session' : '';
  const detail = `CPU ${median(calibration).toFixed(2)} ms against ${median(inference).toFixed(2)} ms, ${names.length} tensors${full}`;
  return result(`calibrate: ${kind} over inference, ${name}`, ratio, 'ratio', goals[kind], detail);
}

/** Milliseconds of CPU time. */
async function cpu(runs: number, run: () => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage();
  for (let i = 0; i < runs; i++) await run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

function image(size: number, seed = 1): TensorValue {
  const numbers = random(seed);
  const data = Float32Array.from({ length: 3 * size * size }, () => numbers.normal());
  return { type: 'float32', dims: [1, 3, size, size], data };
}

/** The command itself, with one worker and with two: samples per second, once all have started. */
async function secondWorker(): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-bench-'));
  try {
    const [model, reader] = [join(folder, 'model.onnx'), join(folder, 'reader.mjs')];
    writeFileSync(model, encodeModel(modelToProto(mobilenet())));
    writeFileSync(
      reader,
      `const values = Float32Array.from({ length: 3 * 224 * 224 }, (_, i) => Math.sin(i * i));
      export default () => ({ length: ${workerSamples}, get: (i) => ({ input: values.map((value) => value * (1 + (i % 7) / 7)) }) });`,
    );
    const qdq = fileURLToPath(new URL('../../bin/qdq.js', import.meta.url));
    const words = [qdq, 'calibrate', model, '--reader', reader, '--threads', '1', '--quiet'];
    const seconds = async (workers: number, samples: number): Promise<number> => {
      const out = join(folder, `state${workers}`);
      const args = workers === 1 ? words : words.filter((word) => word !== '--threads' && word !== '1');
      const own = ['--samples', String(samples), '--workers', String(workers), '-o', out];
      return (await measure(process.execPath, [...args, ...own])).seconds;
    };
    const times = [1, 2].map((): { all: number[]; start: number[] } => ({ all: [], start: [] }));
    for (let round = 0; round < 5; round++) {
      for (const [at, { all, start }] of times.entries()) {
        start.push(await seconds(at + 1, few));
        all.push(await seconds(at + 1, workerSamples));
      }
    }
    const [one, two] = times.map(({ all, start }) => median(all) - median(start)) as [number, number];
    const whole = times.map(({ all }) => `${median(all).toFixed(1)} s`).reverse();
    const detail = `${two.toFixed(1)} s against ${one.toFixed(1)} s by the clock for ${workerSamples - few} more samples, ${whole.join(' against ')} from start to end of the process, MobileNetV2-like`;
    return result('calibrate: two workers over one', two / one, 'ratio', workersGoal, detail);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function memoryGrowth(observer: string): Promise<BenchResult> {
  const peak = async (samples: number): Promise<number> =>
    (await measure(process.execPath, [fileURLToPath(import.meta.url), observer, String(samples)])).megabytes;
  const [lows, highs]: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round++) {
    lows.push(await peak(few));
    highs.push(await peak(many));
  }
  const [low, high] = [median(lows), median(highs)];
  const detail = `${high.toFixed(0)} MB against ${low.toFixed(0)} MB, the samples' own arrays apart`;
  return result(
    `calibrate: peak memory, ${observer}, ${many} samples over ${few}`,
    ...([high / low, 'ratio', memoryGoal, detail] as const),
  );
}

/**
 * What the measured process does: calibrate a small network. The same `few` arrays come round and round: how long V8 lets the
 * arrays of past samples lie (some 30 MB of them, then no more) is a matter of the data room and would drown the rest.
 */
async function calibrateOnce(observer: string, samples: number): Promise<void> {
  const model = mobilenet({ size: 96, batch: 1 });
  const images = Array.from({ length: few }, (_, seed) => ({ input: image(96, seed) }));
  const dataset: Dataset = {
    ...{ source: 'made-up', format: 'bench', count: samples, labelled: false, preprocess: undefined, synthetic: true },
    async *samples() {
      for (let i = 0; i < samples; i++) yield { id: `sample ${i}`, inputs: images[i % few]! };
    },
    idsHash: () => undefined,
  };
  await calibrate(model, tensorsOfAnyPlan(model), dataset, { from: 0 }, { modelSha256: '0'.repeat(64), observer });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await calibrateOnce(process.argv[2]!, Number(process.argv[3]));
}
