import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { openModel } from '../../src/compare/models.ts';
import { operatorOf, profileBoth, timesByOp } from '../../src/compare/profile.ts';
import { layeredReport } from '../report/layered-report.ts';
import { withoutTimes } from '../../src/compare/verdict.ts';

const digits = join(import.meta.dirname, '../../fixtures/digits/model.onnx');

const line = (category: string, name: string, at: number, duration: number, op = ''): string =>
  `{"cat" : "${category}","pid" :1,"tid" :2,"dur" :${duration},"ts" :${at},"ph" : "X","name" :"${name}","args" : {${
    op === '' ? '' : `"node_index" : "3","op_name" : "${op}","provider" : "CPUExecutionProvider"`
  }}},`;

/** One run from `at`, as onnxruntime writes it: the nodes first, then what holds them. */
const run = (at: number, conv: number, gemm: number): string[] => [
  line('Node', 'c1_kernel_time', at + 1, conv, 'Conv'),
  line('Node', 'c2_kernel_time', at + 101, conv, 'FusedConv'),
  line('Node', 'g"oops","op_name" : "Fake_kernel_time', at + 201, gemm, 'Gemm'),
  line('Node', 'loop_kernel_time', at, 900, 'Loop'),
  line('Session', 'SequentialExecutor::Execute', at, 950),
  line('Session', 'model_run', at, 1000),
];

describe('timesByOp', () => {
  it('takes medians over the measured runs, per run and operator', () => {
    const text = ['[', ...run(0, 5000, 9), ...run(2000, 10, 3), ...run(4000, 30, 4), ...run(6000, 20, 5), ']'].join(
      '\n',
    );
    // The first run is skipped: microseconds become milliseconds, both convolutions are one operator, a Loop is its nodes.
    expect(Object.fromEntries(timesByOp(text, 1))).toEqual({ Conv: 0.04, Gemm: 0.004 });
  });

  it('is empty for a profile without runs', () => {
    expect(timesByOp('[\n]', 2).size).toBe(0);
  });
});

describe('operatorOf', () => {
  it.each([
    ['QLinearConv', 'Conv'],
    ['QLinearGlobalAveragePool', 'GlobalAveragePool'],
    ['QGemm', 'Gemm'],
    ['ConvInteger', 'Conv'],
    ['MatMulIntegerToFloat', 'MatMul'],
    ['DynamicQuantizeMatMul', 'MatMul'],
    ['MatMulNBits', 'MatMul'],
    ['NhwcFusedConv', 'Conv'],
    ['QuantizeLinear', 'conversion'],
    ['DynamicQuantizeLinear', 'conversion'],
    ['ReorderInput', 'layout'],
    ['Conv', 'Conv'],
    ['Quux', 'Quux'],
  ])('%s → %s', (kernel, op) => expect(operatorOf(kernel)).toBe(op));
});

describe('profileBoth', () => {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-profiled-'));
  vi.stubEnv('TMPDIR', folder);
  vi.stubEnv('TEMP', folder);
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it('tells the operators of both models, and leaves nothing behind', async () => {
    const feeds = { image: { type: 'float32' as const, dims: [1, 1, 16, 16], data: new Float32Array(256) } };
    const model = { source: openModel(digits).source, name: digits, feeds };
    const { runs, ops } = await profileBoth({ float: model, quant: model, threads: 1, budgetMs: 1 });
    expect(runs).toBe(5);
    const conv = ops.find(({ op }) => op === 'Conv')!;
    expect(conv.floatMs).toBeGreaterThan(0);
    expect(conv.quantMs).toBeGreaterThan(0);
    const slowest = ops.map(({ floatMs, quantMs }) => Math.max(floatMs, quantMs));
    expect(slowest).toEqual([...slowest].sort((a, b) => b - a));
    expect(readdirSync(folder).filter((name) => name.startsWith('qdq-'))).toEqual([]);
  });

  it('is left out of reports that must not depend on the clock', () => {
    const timeless = withoutTimes(layeredReport());
    expect(timeless.profile).toBeUndefined();
    expect(timeless.baseline!.changes.map(({ metric }) => metric)).toEqual(['top1.drop', 'size.ratio']);
  });
});
