/**
 * Weight-only 4 bits of a language model with external data: memory must not follow the model, time must stay near a copy of the
 * file. QDQ_BENCH_GB says how large (default 1; the goal was set for 8).
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { ByteSource } from '../../src/onnx/messages.ts';
import { saveModel } from '../../src/onnx/model-file.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { buildProto, node } from '../support/build.ts';
import { measure, median, result, type BenchResult } from './bench.ts';

const hidden = 4096;

/** 16 MB of numbers near those of weights, over and over; each tensor begins elsewhere. */
const noise = new Uint8Array(
  Float32Array.from({ length: 2 ** 22 }, (_, i) => (((i * 2654435761) >>> 8) / 2 ** 24 - 0.5) * 0.1).buffer,
);

function noiseSource(byteLength: number, start: number): ByteSource {
  const readInto = (offset: number, target: Uint8Array): void => {
    for (let done = 0; done < target.length;) {
      const from = (start + offset + done) % noise.length;
      const piece = noise.subarray(from, from + target.length - done);
      target.set(piece, done);
      done += piece.length;
    }
  };
  return {
    byteLength,
    readInto,
    read(offset, length) {
      const target = new Uint8Array(length);
      readInto(offset, target);
      return target;
    },
  };
}

/** An embedding, layers of one matrix each, and a head as large as the embedding: an eighth of the bytes each. */
export function writeModel(path: string, bytes: number): void {
  const vocabulary = Math.round(bytes / 8 / (4 * hidden));
  const layers = Math.round((bytes * 0.75) / (4 * hidden * hidden));
  const last = `h${layers}`;
  const proto = buildProto({
    inputs: { ids: { type: 'int64', dims: ['n'] } },
    outputs: { logits: ['n', vocabulary] },
    nodes: [
      node('Gather', ['table', 'ids'], ['h0']),
      ...Array.from({ length: layers }, (_, i) => node('MatMul', [`h${i}`, `w${i}`], [`h${i + 1}`])),
      node('MatMul', [last, 'head'], ['logits']),
    ],
  });
  const add = (name: string, dims: readonly number[], start: number): void => {
    const source = noiseSource(dims[0]! * dims[1]! * 4, start * 4096);
    proto.graph!.initializer!.push(Tensor.lazy(name, 'float32', dims, source).toProto());
  };
  add('table', [vocabulary, hidden], 1);
  for (let i = 0; i < layers; i++) add(`w${i}`, [hidden, hidden], i + 2);
  add('head', [hidden, vocabulary], 3);
  saveModel(proto, path, { externalData: 'always' });
}

export async function run(): Promise<BenchResult[]> {
  const gigabytes = Number(process.env['QDQ_BENCH_GB'] ?? '1');
  const rounds = gigabytes > 2 ? 1 : 3;
  const folder = mkdtempSync(join(tmpdir(), 'qdq-bench-'));
  const qdq = fileURLToPath(new URL('../../bin/qdq.js', import.meta.url));
  try {
    const [input, output, copy] = ['in.onnx', 'out.onnx', 'copy'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeModel(input, gigabytes * 1e9);
    const [copies, runs, peaks]: number[][] = [[], [], []];
    const words = ['quantize', input, '--format', 'weight-only', '--block-size', '128', '--no-report', '--quiet'];
    for (let round = 0; round < rounds; round++) {
      await measure('sync', []);
      copies!.push((await measure('cp', [`${input}.data`, copy])).seconds);
      rmSync(copy);
      await measure('sync', []);
      const made = await measure(process.execPath, [qdq, ...words, '-o', output]);
      runs!.push(made.seconds);
      peaks!.push(made.megabytes);
    }
    const ratio =
      statSync(`${input}.data`).size /
      (statSync(output).size + (statSync(`${output}.data`, { throwIfNoEntry: false })?.size ?? 0));
    const [ours, theirs] = [median(runs!), median(copies!)];
    const detail = `${ours.toFixed(1)} s, copy ${theirs.toFixed(1)} s, ${ratio.toFixed(2)}x smaller`;
    return [
      result(`weight-only: ${gigabytes} GB in 4 bits, time over a file copy`, ours / theirs, 'ratio', 2.5, detail),
      result(`weight-only: ${gigabytes} GB in 4 bits, peak memory`, Math.max(...peaks!), 'MB', 1024, detail),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
