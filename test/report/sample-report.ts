/** A complete Report object that tests change where they need to. */
import type { OutputRow, Report, TaskRow } from '../../src/compare/report.ts';

const model = (path: string, bytes: number, digit: string): Report['models']['float'] => ({
  path,
  sha256: digit.repeat(64),
  bytes,
  opset: 17,
  ir: 8,
  inputs: [{ name: 'input', type: 'float32', dims: ['batch', 3, 224, 224] }],
});

export const output: OutputRow = {
  name: 'logits',
  type: 'float32',
  sqnrDb: 27.314159,
  cosine: 0.99912345,
  maxAbs: 0.8312,
  maxAbsAt: 'cat/0001.png',
  meanAbs: 0.05123,
  argmaxAgreement: 0.984,
  nonFinite: 0,
};

export const top1: TaskRow = {
  metric: 'top1',
  output: 'logits',
  unit: 'fraction',
  better: 'higher',
  n: 5000,
  float: 0.6976,
  quant: 0.679,
  delta: -0.0186,
  ci95: [-0.0241, -0.0131],
  paired: { bothRight: 3340, onlyFloat: 148, onlyQuant: 55, bothWrong: 1457 },
  p: 4.1e-11,
};

export function sampleReport(changes: Partial<Report> = {}): Report {
  return {
    schema: 1,
    tool: { name: 'qdq', version: '0.1.0' },
    created: '2026-01-02T03:04:05.000Z',
    command: 'qdq compare models/resnet18.onnx out/resnet18.int8.onnx --data val',
    models: {
      float: model('models/resnet18.onnx', 44_700_123, 'a'),
      quant: model('out/resnet18.int8.onnx', 11_401_456, 'b'),
    },
    environment: {
      node: '20.20.2',
      ort: '1.30.0',
      threads: 2,
      exactInt8: false,
      cpu: 'Example CPU',
      arch: 'x64',
      features: ['avx2'],
      os: 'linux 6.1',
    },
    data: {
      evaluation: {
        n: 5000,
        idsHash: 'c'.repeat(64),
        source: 'val',
        format: 'image-folder',
        labelled: true,
        preprocess: 'resize=256 crop=224',
        synthetic: false,
      },
    },
    verdict: 'pass',
    gates: [],
    task: [top1],
    outputs: [output],
    nodes: [],
    placement: { int8: 40, float: 0, conversions: 2, byOp: { QLinearConv: { int8: 20, float: 0 } } },
    cost: {
      bytesFloat: 44_700_123,
      bytesQuant: 11_401_456,
      ratio: 44_700_123 / 11_401_456,
      latencyMs: {
        float: { p50: 18.1, p95: 19.9 },
        quant: { p50: 6.02, p95: 7.5 },
        speedup: 18.1 / 6.02,
        runs: 62,
        batch: 1,
      },
    },
    warnings: [],
    ...changes,
  };
}
