/**
 * Latency of int8 convolutional networks over float, one thread, interleaved runs, ranges from random samples: the generated
 * ResNet-50-like and MobileNetV2-like ones, and the public models beside the project where they are there. Goals are floors that
 * a busy machine with VNNI keeps; `formats` measures matrix products and recurrent cells.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuInfo } from '../../src/backends/cpu.ts';
import { openSession } from '../../src/backends/session.ts';
import { measureLatency } from '../../src/compare/latency.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { quantizeModel } from '../../src/index.ts';
import { saveModel } from '../../src/onnx/model-file.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { mobilenet, resnet } from '../support/networks.ts';
import { result, type BenchResult } from './bench.ts';

const shared = join(fileURLToPath(new URL('../../../', import.meta.url)), '..', 'shared', 'models');
const budgetMs = 4000;

/** File, input without its batch, and the goal: int8 time over float time. */
const publicModels = [
  ['ResNet-20', 'resnet20_cifar10.onnx', [3, 32, 32], 0.6],
  ['SqueezeNet', 'squeezenet_imagenet.onnx', [3, 227, 227], 0.5],
  ['UltraFace RFB-320', 'ultraface_rfb320_opset9.onnx', [3, 240, 320], 0.8],
] as const;

async function compare(
  name: string,
  path: string,
  dims: readonly number[],
  goal: number,
  folder: string,
): Promise<BenchResult> {
  const output = join(folder, 'int8.onnx');
  await quantizeModel({ model: path, output, data: 'random', samples: 2, report: false });
  const data = Float32Array.from({ length: dims.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i * 1.7));
  const value: TensorValue = { type: 'float32', dims: [1, ...dims], data };
  const [float, quant] = [await openSession(path), await openSession(output)];
  const feeds = { [float.inputs[0]!.name]: value };
  const times = await measureLatency({
    float: () => float.run(feeds),
    quant: () => quant.run(feeds),
    batch: 1,
    budgetMs,
  });
  await float.dispose();
  await quant.dispose();
  const detail = `float ${times.float.p50.toFixed(2)} ms, int8 ${times.quant.p50.toFixed(2)} ms: ${times.speedup.toFixed(2)}x`;
  return result(`int8 time over float: ${name}`, 1 / times.speedup, 'ratio', goal, detail);
}

export async function run(): Promise<BenchResult[]> {
  if (!cpuInfo().vnni) {
    console.error('  latency: skipped (its goals are for CPUs with VNNI)');
    return [];
  }
  const folder = mkdtempSync(join(tmpdir(), 'qdq-bench-'));
  try {
    const results: BenchResult[] = [];
    for (const [name, model, goal] of [
      ['ResNet-50-like', resnet({ batch: 1 }), 0.4],
      ['MobileNetV2-like', mobilenet({ batch: 1 }), 0.7],
    ] as const) {
      const path = join(folder, 'float.onnx');
      saveModel(modelToProto(model), path);
      results.push(await compare(name, path, [3, 224, 224], goal, folder));
      rmSync(path);
    }
    for (const [name, file, dims, goal] of publicModels) {
      if (existsSync(join(shared, file))) results.push(await compare(name, join(shared, file), dims, goal, folder));
      else console.error(`  latency: ${name} skipped (no ../shared/models/${file})`);
    }
    return results;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
