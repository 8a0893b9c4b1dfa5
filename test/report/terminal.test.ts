import { describe, expect, it } from 'vitest';
import type { GateRow, NodeRow, Report } from '../../src/compare/report.ts';
import { renderTerminal, type TerminalOptions } from '../../src/report/terminal.ts';
import { golden } from './golden.ts';
import { output, sampleReport, top1 } from './sample-report.ts';

const gate = (id: string, value: number, unit: string, pass: boolean, more: Partial<GateRow> = {}): GateRow => {
  const [metric, op, bound] = id.split(' ') as [string, GateRow['op'], string];
  const number = bound.endsWith('%') ? Number(bound.slice(0, -1)) / 100 : Number(bound);
  return { id, metric, level: 'error', op, bound: number, value, unit, pass, ...more };
};

const node = (name: string, reason: string, placement: NodeRow['placement'] = 'float'): NodeRow => ({
  name,
  op: 'Conv',
  placement,
  reason,
});

const reports: Record<string, Report> = {
  pass: sampleReport({
    gates: [gate('top1.drop <= 2%', 0.0186, 'fraction', true), gate('size.ratio >= 3.5', 3.92, 'times', true)],
  }),
  health: sampleReport({
    data: {
      ...sampleReport().data,
      calibration: {
        n: 100,
        idsHash: 'd'.repeat(64),
        source: 'train',
        health: {
          samples: 100,
          tensors: 41,
          byChannel: 30,
          growing: [{ tensor: 'layer4.0/add', share: 0.0712 }],
          outliers: ['layer1.0/relu', 'layer1.1/relu', 'layer2.0/relu', 'layer2.1/relu'].map((tensor, i) => ({
            tensor,
            ratio: 12.34 - i,
          })),
          dead: [{ tensor: 'layer3.1/relu', channels: 3, of: 256, which: [0, 3, 8] }],
          constant: [],
        },
      },
    },
  }),
  bare: sampleReport({ task: [], cost: { bytesFloat: 1200, bytesQuant: 1500, ratio: 0.8 } }),
  fail: sampleReport({
    verdict: 'fail',
    gates: [
      gate('top1.drop <= 1%', 0.0186, 'fraction', false, {
        hint: 'calibrate on more or more typical samples, or keep sensitive nodes float with --exclude',
      }),
      gate('output[logits].sqnr >= 20', 27.314159, 'dB', true),
      gate('latency.speedup >= 4', 3.0066, 'times', false, {
        level: 'warn',
        hint: 'see placement for what runs in float',
      }),
      gate('agreement >= 98.4%', 0.98399, 'fraction', false),
    ],
    task: [
      top1,
      {
        ...top1,
        metric: 'top5',
        float: 0.8908,
        quant: 0.891,
        delta: 0.0002,
        ci95: [-0.002, 0.0024],
        paired: { bothRight: 4440, onlyFloat: 14, onlyQuant: 15, bothWrong: 531 },
        p: 1,
      },
    ],
    nodes: [
      node('/fc/Gemm', 'excluded by --exclude'),
      node(
        '/layer4/conv',
        'stands between DequantizeLinear and QuantizeLinear, but onnxruntime did not fuse it',
        'not-fused',
      ),
    ],
    placement: { int8: 38, float: 2, conversions: 6, byOp: {} },
    warnings: [{ code: 'NOT_FUSED', message: '1 quantized node still runs in float between conversions' }],
  }),
  synthetic: sampleReport({
    verdict: 'warn',
    data: {
      evaluation: { ...sampleReport().data.evaluation, n: 32, labelled: false, synthetic: true, source: 'random' },
    },
    task: [],
    cost: {
      ...sampleReport().cost,
      latencyMs: {
        float: { p50: 0.41, p95: 0.5 },
        quant: { p50: 1.7, p95: 2 },
        speedup: 0.41 / 1.7,
        runs: 500,
        batch: 1,
      },
    },
    warnings: [
      {
        code: 'SYNTHETIC_DATA',
        message: 'the samples are generated, not real: the accuracy figures say nothing about real data',
      },
      {
        code: 'SLOWER',
        message:
          'the quantized model is slower than the float model on this machine: its layers are probably too small for int8 to pay',
      },
    ],
  }),
  many: sampleReport({
    verdict: 'fail',
    outputs: [
      ...Array.from({ length: 11 }, (_, i) => ({
        ...output,
        name: `head.${i}/a/rather/long/name/of/an/output/tensor_${i}`,
        sqnrDb: 40 - i,
      })),
      {
        ...output,
        name: 'bad\u001b[31m',
        sqnrDb: -Infinity,
        cosine: -Infinity,
        maxAbs: Infinity,
        meanAbs: Infinity,
        argmaxAgreement: null,
        nonFinite: 7,
      },
    ],
    nodes: Array.from({ length: 30 }, (_, i) => node(`/block.${i}/conv`, `reason ${i % 8}`)),
    warnings: [
      { code: 'NOT_FINITE', message: "output 'bad\u001b[31m' of the quantized model holds 7 NaN or infinite values" },
    ],
  }),
};

describe('renderTerminal', () => {
  it.each(Object.keys(reports))('%s', (name) => {
    golden(`${name}.txt`, renderTerminal(reports[name]!, { color: false, reportPath: 'out/report.json' }));
  });

  it('in colour', () => {
    golden('fail.color.txt', renderTerminal(reports['fail']!, { color: true }));
  });

  it.each(Object.keys(reports))('%s: colour only adds, and no line is too wide', (name) => {
    for (const width of [60, 80, 120]) {
      const options: TerminalOptions = { color: false, width, reportPath: 'r.json' };
      const plain = renderTerminal(reports[name]!, options);
      const coloured = renderTerminal(reports[name]!, { ...options, color: true });
      expect(coloured).not.toBe(plain);
      expect(coloured.replace(/\u001b\[\d+m/g, '')).toBe(plain);
      if (width >= 80) expect(Math.max(...plain.split('\n').map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(plain).not.toMatch(/[\u0000-\u0009\u000b-\u001f]| \n/);
    }
  });

  it('is one verdict line when quiet', () => {
    expect(renderTerminal(reports['fail']!, { color: false, quiet: true })).toBe(
      ' FAIL  resnet18.onnx -> resnet18.int8.onnx: 2 of 4 gates failed, 1 gate warned\n',
    );
    expect(renderTerminal(reports['bare']!, { color: false, quiet: true })).toBe(
      ' PASS  resnet18.onnx -> resnet18.int8.onnx: no gates set\n',
    );
  });
});
