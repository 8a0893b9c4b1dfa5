/**
 * Latency of every form over float, one thread, interleaved runs: a BERT-like encoder (2 layers, hidden 768) at 128 tokens and at
 * one, a GRU and an LSTM. Each value is quantized time over float time. Goals are floors that a busy machine keeps; the
 * figures of record stand in the README.
 */
import { createExecutor, openSession } from '../../src/backends/session.ts';
import type { Model } from '../../src/graph/model.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { measureLatency } from '../../src/compare/latency.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import { feed, gaussian, make, type Settings } from '../quantized/make-quantized.ts';
import { sqnr, type Feeds } from '../quantized/support.ts';
import { transformer } from '../quantized/transformer.ts';
import { buildModel, f32, node } from '../support/build.ts';
import { result, type BenchResult } from './bench.ts';

const hidden = 768;

interface Subject {
  readonly model: Model;
  readonly feeds: Feeds;
}

async function encoder(tokens: number): Promise<Subject> {
  const model = buildModel(transformer({ layers: 2, hidden, heads: 12, vocabulary: 1000, tokens }));
  await fuse(model, { executor: createExecutor() });
  const ids: TensorValue = {
    type: 'int64',
    dims: [1, tokens],
    data: BigInt64Array.from({ length: tokens }, (_, i) => BigInt((i * 29) % 1000)),
  };
  return { model, feeds: { ids } };
}

function recurrent(op: 'GRU' | 'LSTM', steps: number, units: number): Subject {
  const rows = { GRU: 3, LSTM: 4 }[op] * units;
  const model = buildModel({
    inputs: { x: [steps, 1, units] },
    outputs: ['y'],
    initializers: {
      w: f32(
        [1, rows, units],
        gaussian(rows * units).map((v) => v / 20),
      ),
      r: f32(
        [1, rows, units],
        gaussian(rows * units, 2).map((v) => v / 20),
      ),
      b: f32([1, 2 * rows], gaussian(2 * rows, 3)),
    },
    nodes: [node(op, ['x', 'w', 'r', 'b'], ['y'], { hidden_size: units })],
  });
  return { model, feeds: { x: feed([steps, 1, units]) } };
}

async function compare(
  name: string,
  { model, feeds }: Subject,
  format: string,
  settings: Settings,
  goal: number,
): Promise<BenchResult> {
  const { model: small } = await make(format, model, { ...settings, feeds });
  const [float, quant] = [await openSession(model), await openSession(small)];
  const { speedup, ...latency } = await measureLatency({
    float: () => float.run(feeds),
    quant: () => quant.run(feeds),
    batch: 1,
  });
  const [output] = Object.keys(await float.run(feeds));
  const [expected, real] = [await float.run(feeds), await quant.run(feeds)];
  await float.dispose();
  await quant.dispose();
  const detail = `${speedup.toFixed(2)}x as fast, ${latency.float.p50.toFixed(2)} -> ${latency.quant.p50.toFixed(2)} ms, ${sqnr(expected[output!]!, real[output!]!).toFixed(1)} dB`;
  return result(`formats: ${name}`, 1 / speedup, 'ratio', goal, detail);
}

export async function run(): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for (const tokens of [128, 1]) {
    const subject = await encoder(tokens);
    const on = `BERT-like, ${tokens} token${tokens > 1 ? 's' : ''}`;
    const cases: [string, string, Settings, number][] = [
      ['dynamic', 'dynamic', {}, 0.6],
      ['QDQ', 'qdq', {}, 0.8],
      ['4 bits, blocks of 32', 'weight-only', { weightBits: 4, blockSize: 32 }, tokens > 1 ? 1.2 : 0.6],
      ['4 bits, blocks of 128', 'weight-only', { weightBits: 4, blockSize: 128 }, tokens > 1 ? 1 : 0.5],
      ['4 bits, blocks of 32, symmetric', 'weight-only', { weightBits: 4, symmetric: true }, tokens > 1 ? 1.2 : 0.6],
      ['8 bits, blocks of 128', 'weight-only', { weightBits: 8 }, tokens > 1 ? 1 : 0.6],
    ];
    for (const [name, format, settings, goal] of cases) {
      results.push(await compare(`${on}, ${name}`, subject, format, settings, goal));
    }
  }
  results.push(await compare('LSTM of 512, 50 steps, dynamic', recurrent('LSTM', 50, 512), 'dynamic', {}, 0.7));
  results.push(await compare('GRU of 512, 50 steps, dynamic', recurrent('GRU', 50, 512), 'dynamic', {}, 0.9));
  return results;
}
