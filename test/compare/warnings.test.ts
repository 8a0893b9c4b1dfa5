import { describe, expect, it } from 'vitest';
import { verdictOf } from '../../src/compare/verdict.ts';
import { warningsOf, type Findings } from '../../src/compare/warnings.ts';
import type { GateRow, NodeRow } from '../../src/compare/report.ts';
import { output, sampleReport, top1 } from '../report/sample-report.ts';

const report = sampleReport();
const vnni = { arch: 'x64', features: ['avx2', 'avx512_vnni'], vnni: true };
const findings: Findings = {
  evaluation: { n: 10, labelled: true, task: [top1], outputs: [output], texts: [], skipped: [] },
  data: report.data,
  placement: report.placement,
  nodes: [],
  quantizedAnyway: [],
  cost: report.cost,
  cpu: vnni,
  saturated: false,
};
const slow = { ...report.cost, latencyMs: { ...report.cost.latencyMs!, speedup: 0.9 } };
const unfused: NodeRow = { name: 'conv', op: 'Conv', placement: 'not-fused', reason: 'r' };

const codes = (changes: Partial<Findings>): string[] => warningsOf({ ...findings, ...changes }).map(({ code }) => code);
const textOf = (changes: Partial<Findings>): string => warningsOf({ ...findings, ...changes })[0]!.message;

describe('warningsOf', () => {
  it('is silent when there is nothing to say', () => {
    expect(codes({})).toEqual([]);
  });

  it('speaks of the data', () => {
    const { evaluation } = report.data;
    expect(codes({ data: { evaluation: { ...evaluation, synthetic: true } } })).toEqual(['SYNTHETIC_DATA']);
    const calibration = { n: 5000, idsHash: evaluation.idsHash, source: 'val' };
    expect(codes({ data: { calibration, evaluation } })).toEqual(['CALIBRATION_REUSED']);
    expect(codes({ data: { calibration: { ...calibration, idsHash: 'd'.repeat(64) }, evaluation } })).toEqual([]);
    expect(codes({ evaluation: { ...findings.evaluation, task: [] } })).toEqual(['LABELS_UNUSED']);
    expect(codes({ evaluation: { ...findings.evaluation, skipped: [{ name: 't', reason: 'text' }] } })).toEqual([
      'OUTPUT_NOT_COMPARED',
    ]);
    const differ = [{ sample: 's3', float: 'cat', quant: 'dog' }];
    const texts = [
      { name: 'label', n: 10, agreement: 0.8, differ },
      { name: 'same', n: 10, agreement: 1, differ: [] },
    ];
    expect(warningsOf({ ...findings, evaluation: { ...findings.evaluation, texts } })).toEqual([
      {
        code: 'TEXTS_DIFFER',
        message: "output 'label': 2 of 10 texts differ: 'cat' became 'dog' at sample 's3' and others",
      },
    ]);
    expect(codes({ evaluation: { ...findings.evaluation, outputs: [{ ...output, nonFinite: 3 }] } })).toEqual([
      'NOT_FINITE',
    ]);
    expect(codes({ quantizedAnyway: ['conv'] })).toEqual(['QUANTIZED_ANYWAY']);
    expect(codes({ saturated: true })).toEqual(['SATURATION']);
  });

  it('gives the cause of slowness', () => {
    const none = { ...report.placement, int8: 0 };
    expect(textOf({ cost: slow, placement: none })).toContain('nothing runs in int8');
    expect(textOf({ cost: slow, nodes: [unfused] })).toContain('1 quantized node in float');
    expect(textOf({ cost: slow, placement: { int8: 3, float: 4, conversions: 8, byOp: {} } })).toContain(
      '8 conversions',
    );
    expect(textOf({ cost: slow, cpu: { arch: 'x64', features: ['avx2'], vnni: false } })).toContain('no VNNI');
    expect(textOf({ cost: slow, cpu: { arch: 'x64', features: [], vnni: false } })).toContain('too small');
    const pool: NodeRow = { name: 'pool', op: 'AveragePool', placement: 'float', reason: 'r' };
    const mixed = { int8: 3, float: 4, conversions: 8, byOp: { QLinearConv: { int8: 3, float: 0 } } };
    expect(textOf({ cost: slow, placement: mixed, nodes: [pool, pool] })).toContain('(2 AveragePool)');
    expect(codes({ cost: slow, nodes: [unfused], placement: none })).toEqual(['SLOWER', 'NO_INT8', 'NOT_FUSED']);
  });
});

describe('a slower model', () => {
  const advice = (byOp: Record<string, { int8: number; float: number }>, nodes: NodeRow[] = []): string =>
    textOf({ cost: slow, nodes, placement: { int8: 4, float: 0, conversions: 2, byOp } });

  it('of matrix products is told of the dynamic and the block form, of which the dynamic form only of the other', () => {
    expect(advice({ QLinearMatMul: { int8: 4, float: 0 } })).toContain('--format dynamic');
    expect(advice({ DynamicQuantizeMatMul: { int8: 4, float: 0 } })).toMatch(/try --format weight-only/);
  });

  it('of convolutions is told what to exclude, or that float is best and what saves size', () => {
    expect(advice({ QLinearConv: { int8: 4, float: 0 } }, [unfused])).toContain('--exclude Conv');
    expect(advice({ QLinearConv: { int8: 4, float: 0 } })).toMatch(/leave it float.*--format fp16.*--optimize size/);
  });
});

describe('verdictOf', () => {
  const gate: GateRow = {
    id: 'g',
    metric: 'agreement',
    level: 'error',
    op: '>=',
    bound: 1,
    value: 0,
    unit: 'fraction',
    pass: false,
  };
  const verdict = (gates: GateRow[], warnings: string[] = [], nonFinite = 0) =>
    verdictOf({
      gates,
      outputs: [{ ...output, nonFinite }],
      warnings: warnings.map((code) => ({ code, message: '' })),
    });

  it('fails on error gates and outputs that are not finite', () => {
    expect(verdict([gate], ['SLOWER'])).toBe('fail');
    expect(verdict([], [], 1)).toBe('fail');
  });

  it('warns on warn gates, slowness and synthetic data, not on every remark', () => {
    expect(verdict([{ ...gate, level: 'warn' }])).toBe('warn');
    expect(verdict([], ['SLOWER'])).toBe('warn');
    expect(verdict([], ['SYNTHETIC_DATA'])).toBe('warn');
    expect(verdict([{ ...gate, pass: true }], ['SATURATION', 'NOT_FUSED', 'CALIBRATION_REUSED'])).toBe('pass');
  });
});
