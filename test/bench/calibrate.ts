/**
 * What calibration costs: time over plain inference of the same samples, and memory as the number of samples grows. Run it
 * compiled: the memory is measured in processes of their own, which start this very file.
 */
import { fileURLToPath } from 'node:url';
import { openSession } from '../../src/backends/session.ts';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { minmax } from '../../src/calibrate/observers/minmax.ts';
import { planProbes } from '../../src/calibrate/plan.ts';
import { buildStatistics, statisticsReader } from '../../src/calibrate/statistics.ts';
import { random } from '../../src/data/random.ts';
import type { Dataset } from '../../src/data/sample.ts';
import type { Model } from '../../src/graph/model.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { mobilenet, quantizedActivations, resnet } from '../support/networks.ts';
import { measure, median, result, type BenchResult } from './bench.ts';

const timeGoal = 1.15;
const memoryGoal = 1.05;
const [few, many] = [16, 1024] as const;

export async function run(): Promise<BenchResult[]> {
  return [
    // 23 of ResNet-50's 53 convolutions: the same mix of shapes in less time.
    await overInference('ResNet-50-like, 6 blocks', resnet({ blocks: [1, 2, 2, 1] }), 40),
    await overInference('MobileNetV2-like', mobilenet(), 120),
    await memoryGrowth(),
  ];
}

/** Medians of interleaved rounds, so that a busy machine slows both sides alike. */
async function overInference(network: string, model: Model, rounds: number): Promise<BenchResult> {
  const tensors = quantizedActivations(model);
  const feeds = { input: image(224) };
  const statistics = buildStatistics(model, await planProbes(model, tensors, minmax, feeds, {}));
  const read = statisticsReader(statistics, tensors);
  const accumulator = minmax.start(tensors.length, {});
  const plain = await openSession(model);
  const augmented = await openSession(statistics.model, { simulate: true });
  const times: [number[], number[]] = [[], []];
  for (let round = -3; round < rounds; round++) {
    const start = performance.now();
    await plain.run(feeds);
    const middle = performance.now();
    const results = await augmented.run(feeds);
    accumulator.add(read(results[statistics.output]!.data as Float32Array).values);
    const end = performance.now();
    if (round < 0) continue;
    times[0].push(middle - start);
    times[1].push(end - middle);
  }
  await Promise.all([plain.dispose(), augmented.dispose()]);
  const [inference, calibration] = [median(times[0]), median(times[1])];
  const detail = `${calibration.toFixed(2)} ms against ${inference.toFixed(2)} ms, ${tensors.length} tensors`;
  return result(`calibrate: min/max over inference, ${network}`, calibration / inference, 'ratio', timeGoal, detail);
}

function image(size: number): TensorValue {
  const numbers = random(1);
  return {
    type: 'float32',
    dims: [1, 3, size, size],
    data: Float32Array.from({ length: 3 * size * size }, () => numbers.normal()),
  };
}

async function memoryGrowth(): Promise<BenchResult> {
  const peak = async (samples: number): Promise<number> =>
    (await measure(process.execPath, [fileURLToPath(import.meta.url), String(samples)])).megabytes;
  const [lows, highs]: [number[], number[]] = [[], []];
  for (let round = 0; round < 3; round++) {
    lows.push(await peak(few));
    highs.push(await peak(many));
  }
  const [low, high] = [median(lows), median(highs)];
  const detail = `${high.toFixed(0)} MB against ${low.toFixed(0)} MB, the samples' own arrays apart`;
  return result(`calibrate: peak memory, ${many} samples over ${few}`, high / low, 'ratio', memoryGoal, detail);
}

/**
 * What the measured process does: calibrate a small network. The same `few` arrays come round and round: how long V8 lets the
 * arrays of past samples lie (some 30 MB of them, then no more) is a matter of the data room and would drown the rest.
 */
async function calibrateOnce(samples: number): Promise<void> {
  const model = mobilenet({ size: 96, batch: 1 });
  const images = Array.from({ length: few }, () => ({ input: image(96) }));
  const dataset: Dataset = {
    ...{ source: 'made-up', format: 'bench', count: samples, labelled: false, preprocess: undefined, synthetic: true },
    async *samples() {
      for (let i = 0; i < samples; i++) yield { id: `sample ${i}`, inputs: images[i % few]! };
    },
    idsHash: () => undefined,
  };
  await calibrate(model, quantizedActivations(model), dataset, { from: 0 }, { modelSha256: '0'.repeat(64) });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await calibrateOnce(Number(process.argv[2]));
