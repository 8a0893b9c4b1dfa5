/**
 * What correcting biases costs: time over plain inference of the same 32 images, on architectures of 26 to 54 layers, one thread. Rounds
 * alternate, and the ratio is the median of theirs.
 */
import { openSession } from '../../src/backends/session.ts';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import { random } from '../../src/data/random.ts';
import type { Model } from '../../src/graph/model.ts';
import { correctBiases } from '../../src/improve/bias.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { observedTensors } from '../../src/quantizable/plan.ts';
import { planQuantization } from '../../src/quantizable/planner.ts';
import { mobilenet, resnet, squeezenet } from '../support/networks.ts';
import { median, result, type BenchResult } from './bench.ts';

const images = 32;
const size = 128;
const rounds = 3;

const networks: readonly { readonly name: string; readonly model: () => Model; readonly goal: number }[] = [
  { name: 'ResNet-50-like', model: () => resnet({ size }), goal: 10 },
  { name: 'MobileNetV2-like', model: () => mobilenet({ size }), goal: 50 },
  { name: 'SqueezeNet-like', model: () => squeezenet({ size }), goal: 30 },
];

export async function run(): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for (const { name, model, goal } of networks) results.push(await cost(name, model(), goal));
  return results;
}

async function cost(name: string, model: Model, goal: number): Promise<BenchResult> {
  const plan = planQuantization(model, { target: ortCpuX64, scheme: ortCpuX64.scheme });
  // Ranges matter for what is found, not for how long it takes.
  const ranges = new Map(observedTensors(plan).map((tensor) => [tensor, { min: -4, max: 4 }]));
  const feeds = Array.from({ length: images }, (_, seed) => ({ input: image(seed) }));
  const session = await openSession(model);
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    times[0].push(
      await timed(async () => {
        for (const feed of feeds) await session.run(feed);
      }),
    );
    times[1].push(await timed(() => correctBiases(model, plan, ranges, feeds, { threads: 1 })));
  }
  await session.dispose();
  const [inference, correction] = [median(times[0]), median(times[1])];
  const detail = `${(correction / 1000).toFixed(1)} s for ${images} images of ${size}², ${(inference / 1000).toFixed(1)} s of inference`;
  return result(`correcting biases over inference, ${name}`, correction / inference, 'ratio', goal, detail);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function image(seed: number): TensorValue {
  const draw = random(seed);
  return {
    type: 'float32',
    dims: [1, 3, size, size],
    data: Float32Array.from({ length: 3 * size * size }, () => draw.normal()),
  };
}
