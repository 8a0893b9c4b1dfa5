/**
 * What comparing tensor by tensor costs: time over running both models plainly on the same 100 images, and memory as the number
 * of samples grows, on SqueezeNet's architecture. Times are interleaved; each peak is that of a process of its own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openSession } from '../../src/backends/session.ts';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { rangesOf } from '../../src/calibrate/state.ts';
import { measureLayers } from '../../src/compare/layers/measure.ts';
import { pairTensors } from '../../src/compare/layers/pairing.ts';
import { random } from '../../src/data/random.ts';
import type { Dataset } from '../../src/data/sample.ts';
import type { Model } from '../../src/graph/model.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { saveModel } from '../../src/onnx/model-file.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { observedTensors } from '../../src/quantizable/plan.ts';
import { planQuantization } from '../../src/quantizable/planner.ts';
import { writeProvenance } from '../../src/quantized/provenance.ts';
import { emitQdq } from '../../src/quantized/qdq.ts';
import { squeezenet } from '../support/networks.ts';
import { measure, median, result, type BenchResult } from './bench.ts';

const timeGoal = 4;
const memoryGoal = 1.1;
const images = 100;
const counts = [10, 100, 400] as const;

export async function run(): Promise<BenchResult[]> {
  return [await time(), ...(await memory())];
}

async function time(): Promise<BenchResult> {
  const { float, quant, sample, layers } = await twoModels();
  // Files, as users have them: onnxruntime maps them.
  const folder = mkdtempSync(join(tmpdir(), 'qdq-bench-'));
  const paths = [join(folder, 'float.onnx'), join(folder, 'int8.onnx')] as const;
  try {
    [float, quant].forEach((model, i) => saveModel(modelToProto(model), paths[i]!));
    const sessions = await Promise.all(paths.map((path) => openSession(path)));
    const timed = async (work: () => Promise<unknown>): Promise<number> => {
      const start = performance.now();
      await work();
      return (performance.now() - start) / images;
    };
    const plainly = async (): Promise<void> => {
      for (let i = 0; i < images; i++) for (const session of sessions) await session.run({ input: sample });
    };
    await layers(2);
    const times: [number[], number[]] = [[], []];
    for (let round = 0; round < 3; round++) {
      times[0].push(await timed(plainly));
      times[1].push(await timed(() => layers(images)));
    }
    await Promise.all(sessions.map((session) => session.dispose()));
    const [plain, inside] = [median(times[0]), median(times[1])];
    return result(
      'layers: tensor by tensor over running both models, SqueezeNet-like, 100 images',
      ...([inside / plain, 'ratio', timeGoal] as const),
      `${inside.toFixed(1)} ms against ${plain.toFixed(1)} ms per image`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function memory(): Promise<BenchResult[]> {
  const peaks = counts.map((): number[] => []);
  for (let round = 0; round < 3; round++)
    for (const [i, count] of counts.entries())
      peaks[i]!.push((await measure(process.execPath, [fileURLToPath(import.meta.url), String(count)])).megabytes);
  const [few, ...more] = peaks.map(median);
  return more.map((many, i) =>
    result(
      `layers: peak memory, ${counts[i + 1]} samples over ${counts[0]}`,
      ...([many / few!, 'ratio', memoryGoal] as const),
      `${many.toFixed(0)} MB against ${few!.toFixed(0)} MB`,
    ),
  );
}

interface TwoModels {
  readonly float: Model;
  readonly quant: Model;
  readonly sample: TensorValue;
  /** Compares them on this many samples. */
  layers(count: number): Promise<void>;
}

async function twoModels(): Promise<TwoModels> {
  const float = squeezenet();
  const numbers = random(1);
  const sample: TensorValue = {
    type: 'float32',
    dims: [1, 3, 227, 227],
    data: Float32Array.from({ length: 3 * 227 * 227 }, () => numbers.normal()),
  };
  const dataset = (count: number): Dataset => ({
    ...{ source: 'made-up', format: 'bench', count, labelled: false, preprocess: undefined, synthetic: true },
    async *samples(selection) {
      const to = 'from' in selection ? (selection.to ?? count) : selection.length;
      for (let i = 0; i < to; i++) yield { id: `sample ${i}`, inputs: { input: sample } };
    },
    idsHash: () => undefined,
  });
  const sha256 = '0'.repeat(64);
  const plan = planQuantization(float, { target: ortCpuX64, scheme: ortCpuX64.scheme });
  const state = await calibrate(float, observedTensors(plan), dataset(4), { from: 0 }, { modelSha256: sha256 });
  const { model: quant, origins } = emitQdq(float, plan, rangesOf(state));
  writeProvenance(quant, { source: sha256, tensors: origins });
  const pairing = pairTensors({ plain: float, fused: float }, { plain: quant, fused: quant }, sha256);
  const layers = async (count: number): Promise<void> => {
    await measureLayers({
      ...{ pairing, dataset: dataset(count), selection: { from: 0 }, threads: 1, exactInt8: false },
      names: { float: 'float', quant: 'int8' },
    });
  };
  return { float, quant, sample, layers };
}

// What a process does whose peak is measured.
if (process.argv[1] === fileURLToPath(import.meta.url)) await (await twoModels()).layers(Number(process.argv[2]));
