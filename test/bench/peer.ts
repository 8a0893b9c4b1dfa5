/**
 * `qdq quantize` beside onnxruntime.quantization: SqueezeNet, 100 images, the same machine. Needs the shared models; and for min/max,
 * on the very same arrays, a Python with onnxruntime (QDQ_BENCH_PYTHON). Percentile is held to figures of the peer that were
 * recorded once, on another day: that ratio is no more than an indication, and says so.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure, median, result, type BenchResult } from './bench.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const shared = join(root, '..', 'shared');
const rounds = 3;

/** onnxruntime.quantization, percentile, u8 × s8 per channel, measured with ../shared/peers/ptq_ort.py. */
const recorded = { seconds: 26.6, megabytes: 6255 };

export async function run(): Promise<BenchResult[]> {
  return [...(await percentile()), ...(await sameArrays())];
}

async function percentile(): Promise<BenchResult[]> {
  const model = join(shared, 'models', 'squeezenet_imagenet.onnx');
  if (!existsSync(model)) {
    console.error('  peer: percentile skipped (have ../shared)');
    return [];
  }
  const folder = mkdtempSync(join(tmpdir(), 'qdq-bench-'));
  try {
    const data = ['--data', join(shared, 'data', 'imagenet-samples'), '--samples', '100'];
    const preprocess = ['--preprocess', 'resize=256 crop=227 channels=bgr mean=104,117,123'];
    const words = ['quantize', model, ...data, ...preprocess, '--observer', 'percentile', '--no-report', '--quiet'];
    const mine: { seconds: number; megabytes: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const out = join(folder, `${round}.onnx`);
      mine.push(await measure(process.execPath, [join(root, 'dist/bin/qdq.js'), ...words, '-o', out]));
    }
    const seconds = median(mine.map((each) => each.seconds));
    const megabytes = Math.max(...mine.map((each) => each.megabytes));
    const name = 'quantize: SqueezeNet, 100 images, percentile';
    const peer = 'RECORDED figure of onnxruntime.quantization, not of this run';
    return [
      result(
        `${name}, wall time`,
        ...([seconds / recorded.seconds, 'ratio', 0.15] as const),
        `${seconds.toFixed(2)} s, images decoded, process start to end; ${recorded.seconds} s is a ${peer}`,
      ),
      result(
        `${name}, peak memory`,
        ...([megabytes / recorded.megabytes, 'ratio', 0.08] as const),
        `${megabytes.toFixed(0)} MB; ${recorded.megabytes} MB is a ${peer}`,
      ),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function sameArrays(): Promise<BenchResult[]> {
  const python = process.env['QDQ_BENCH_PYTHON'];
  const model = join(shared, 'models', 'squeezenet_imagenet.onnx');
  if (!python || !existsSync(model)) {
    console.error('  peer: skipped (set QDQ_BENCH_PYTHON to a Python with onnxruntime, and have ../shared)');
    return [];
  }
  const folder = mkdtempSync(join(tmpdir(), 'qdq-bench-'));
  try {
    const [theirs, ours] = [join(folder, 'peer.npz'), join(folder, 'data.npz')];
    const script = join(shared, 'peers', 'ptq_ort.py');
    const images = join(shared, 'data', 'imagenet-samples');
    await measure(python, [join(shared, 'peers', 'make_data.py'), 'squeezenet', images, theirs, '100']);
    const convert = `import numpy as np; np.savez(${JSON.stringify(ours)}, data=np.load(${JSON.stringify(theirs)})['calib'])`;
    await measure(python, ['-c', convert]);
    const [mine, peer]: { seconds: number; megabytes: number }[][] = [[], []];
    for (let round = 0; round < rounds; round++) {
      const out = { OUT_MODEL: join(folder, `peer${round}.onnx`) };
      peer!.push(await measure(python, [script, '--one', model, theirs, 'u8s8_pc'], out));
      const args = ['quantize', model, '--data', ours, '--samples', '100', '--no-report', '--quiet'];
      mine!.push(
        await measure(process.execPath, [
          join(root, 'dist/bin/qdq.js'),
          ...args,
          '-o',
          join(folder, `mine${round}.onnx`),
        ]),
      );
    }
    const seconds = [mine!, peer!].map((list) => median(list.map((m) => m.seconds))) as [number, number];
    const megabytes = [mine!, peer!].map((list) => Math.max(...list.map((m) => m.megabytes))) as [number, number];
    const whole = await measure(python, [script, model, theirs, '--configs', 'u8s8_pc']);
    const reported = Number(/"peak_mb": (\d+)/.exec(whole.output)?.[1]);
    return [
      result(
        'quantize: SqueezeNet, 100 images, wall time over onnxruntime.quantization',
        seconds[0] / seconds[1],
        'ratio',
        0.5,
        `${seconds[0].toFixed(2)} s against ${seconds[1].toFixed(2)} s, both from process start to end`,
      ),
      result(
        'quantize: SqueezeNet, 100 images, peak memory over what the peer script reports',
        megabytes[0] / reported,
        'ratio',
        0.25,
        // Its figure is the child's ru_maxrss, which on Linux starts at the parent's peak.
        `${megabytes[0].toFixed(0)} MB against ${reported} MB; its quantizing process alone holds ${megabytes[1].toFixed(0)} MB`,
      ),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
