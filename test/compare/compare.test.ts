import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareModels, type CompareOptions } from '../../src/compare/compare.ts';
import { readReport, writeReport } from '../../src/compare/report-file.ts';
import type { Sample } from '../../src/data/sample.ts';
import { f32, node, type ModelSpec } from '../support/build.ts';
import { memoryDataset, QdqBuilder, temporaryFolder, tensor, writeModelFile } from './support.ts';

const folder = temporaryFolder();
const dims = { inputs: { x: ['n', 4] }, outputs: { y: ['n', 4] } } as const;

/** y = 2x, and the same with x on a grid of 1/8. */
const double: ModelSpec = { ...dims, initializers: { two: f32([1], [2]) }, nodes: [node('Mul', ['x', 'two'], ['y'])] };
const coarse = (): ModelSpec => {
  const b = new QdqBuilder();
  b.add('Mul', [b.quantized('x', 0.125, 128), 'two'], 'y');
  return { ...dims, initializers: { ...b.initializers, two: f32([1], [2]) }, nodes: b.nodes };
};

const samples: Sample[] = Array.from({ length: 6 }, (_, i) => ({
  id: `row#${i}`,
  inputs: {
    x: tensor('float32', [1, 4], [i % 4 === 0 ? 1 : 0, i % 4 === 1 ? 1 : 0, i % 4 === 2 ? 1 : 0, 0.0625 + 3 * i]),
  },
  label: 3,
}));

const floatPath = writeModelFile(join(folder, 'float.onnx'), double);
const quantPath = writeModelFile(join(folder, 'quant.onnx'), coarse());
const options: CompareOptions = {
  ...{ floatPath, quantPath, dataset: memoryDataset(samples), selection: { from: 0 }, threads: 1 },
  ...{ gates: [], command: 'qdq compare', latencyBudgetMs: 1 },
};

describe('compareModels', () => {
  it('measures what can be worked out by hand', async () => {
    const report = await compareModels({
      ...options,
      gates: ['output.max-abs <= 0.125', 'warn: output.sqnr >= 80', 'top1.drop <= 0% by estimate'],
    });
    // Only 0.0625 + 3i is off the grid: 24.5 steps and the like round half to even, an error of 0.0625 that doubles.
    expect(report.outputs).toHaveLength(1);
    expect(report.outputs[0]).toMatchObject({ name: 'y', maxAbs: 0.125, maxAbsAt: 'row#0', argmaxAgreement: 1 });
    const signal = samples.reduce(
      (sum, { inputs }) => sum + (inputs['x']!.data as Float32Array).reduce((s, v) => s + 4 * v * v, 0),
      0,
    );
    expect(report.outputs[0]!.sqnrDb).toBeCloseTo(10 * Math.log10(signal / (6 * 0.125 ** 2)), 9);
    expect(report.outputs[0]!.meanAbs).toBeCloseTo(0.125 / 4, 12);
    expect(report.gates.map(({ pass }) => pass)).toEqual([true, false, true]);
    expect(report.verdict).toBe('warn');
    expect(report.task[0]).toMatchObject({ metric: 'top1', n: 6, delta: 0 });
    expect(report.cost.latencyMs!.runs).toBeGreaterThanOrEqual(10);
  });

  it('judges outputs of texts by whether they are equal', async () => {
    // Classes as words, and only words. Row 0 of the samples holds a second largest element 1/16 below the largest.
    const words = ['ape', 'bee', 'cat', 'dog'];
    const labelled = (spec: ModelSpec): ModelSpec => ({
      ...spec,
      domains: { 'ai.onnx.ml': 3 },
      nodes: [
        ...spec.nodes,
        node('ArgMax', ['y'], ['at'], { axis: 1, keepdims: 0 }),
        node(
          'LabelEncoder',
          ['at'],
          ['label'],
          { keys_int64s: [0, 1, 2, 3], values_strings: words },
          { domain: 'ai.onnx.ml' },
        ),
      ],
      outputs: { label: { type: 'string', dims: ['n'] } },
    });
    const near = samples.map(({ id }, i) => ({
      id,
      inputs: { x: tensor('float32', [1, 4], [i, 0, i + (i % 3 === 0 ? 0.06 : 1), 0]) },
    }));
    const report = await compareModels({
      ...options,
      floatPath: writeModelFile(join(folder, 'words.onnx'), labelled(double)),
      quantPath: writeModelFile(join(folder, 'words.int8.onnx'), labelled(coarse())),
      dataset: memoryDataset(near),
      gates: ['output[label].agreement >= 90% by estimate'],
    });
    expect(report.outputs).toEqual([]);
    expect(report.texts).toMatchObject([
      {
        ...{ name: 'label', n: 6, agreement: 4 / 6 },
        differ: [
          { sample: 'row#0', float: 'cat', quant: 'ape' },
          { sample: 'row#3', float: 'cat', quant: 'ape' },
        ],
      },
    ]);
    expect(report.verdict).toBe('fail');
    expect(report.warnings).toContainEqual({
      code: 'TEXTS_DIFFER',
      message:
        "output 'label': 2 of 6 texts differ: 'cat' became 'ape' at sample 'row#0', 'cat' became 'ape' at sample 'row#3'",
    });
    const path = join(folder, 'words.json');
    writeReport(path, report);
    expect(readReport(path)).toEqual(report);
  });

  it('says what was compared, so that it can be repeated', async () => {
    const calibration = { n: 2, idsHash: 'a'.repeat(64), source: 'memory' };
    const report = await compareModels({
      ...options,
      calibration,
      recipe: { observer: 'minmax' },
      leftFloat: [{ node: 'y', reason: 'told so' }],
    });
    const sha256 = createHash('sha256').update(readFileSync(quantPath)).digest('hex');
    expect(report.models.quant).toMatchObject({
      path: quantPath,
      sha256,
      bytes: statSync(quantPath).size,
      opset: 17,
      ir: 8,
    });
    expect(report.models.float.inputs).toEqual([{ name: 'x', type: 'float32', dims: ['n', 4] }]);
    expect(report.data.evaluation).toMatchObject({ n: 6, labelled: true, synthetic: false, idsHash: 'a'.repeat(64) });
    expect(report.environment).toMatchObject({ node: process.versions.node, threads: 1, exactInt8: false });
    expect(report.environment.ort).toMatch(/^1\./);
    expect(report.nodes).toEqual([{ name: 'y', op: 'Mul', placement: 'float', reason: 'told so' }]);
    expect(report.warnings.map(({ code }) => code)).toEqual(expect.arrayContaining(['NO_INT8', 'CALIBRATION_REUSED']));
    const path = join(folder, 'report.json');
    writeReport(path, report);
    expect(readReport(path)).toEqual(report);
  });

  it('gives equal bytes for equal inputs, whatever the batch size', async () => {
    const texts: string[] = [];
    for (const changes of [{ batchSize: 1 }, { batchSize: 4 }]) {
      const path = join(folder, `batch${changes.batchSize}.json`);
      writeReport(path, await compareModels({ ...options, ...changes, skipLatency: true }), { reproducible: true });
      texts.push(readFileSync(path, 'utf8'));
    }
    expect(texts[0]).toBe(texts[1]);
  });

  it('fails when the quantized model yields NaN, and names the output', async () => {
    const broken = writeModelFile(join(folder, 'nan.onnx'), {
      ...dims,
      initializers: { zero: f32([1], [0]), inf: f32([1], [Infinity]) },
      nodes: [node('Mul', ['x', 'inf'], ['i']), node('Mul', ['i', 'zero'], ['y'])],
    });
    const report = await compareModels({ ...options, quantPath: broken, skipLatency: true });
    expect(report.verdict).toBe('fail');
    expect(report.warnings).toContainEqual({ code: 'NOT_FINITE', message: expect.stringContaining("'y'") });
  });

  it('refuses gates that cannot be decided before it opens a model', async () => {
    const unlabelled = memoryDataset(samples.map(({ id, inputs }) => ({ id, inputs })));
    const run = (changes: Partial<CompareOptions>) =>
      compareModels({ ...options, floatPath: 'absent.onnx', ...changes });
    await expect(run({ dataset: unlabelled, gates: ['top1.drop <= 1%'] })).rejects.toMatchObject({
      code: 'GATE_UNAVAILABLE',
    });
    await expect(run({ skipLatency: true, gates: ['latency.speedup >= 1'] })).rejects.toMatchObject({
      code: 'GATE_UNAVAILABLE',
    });
    await expect(run({})).rejects.toMatchObject({ code: 'ONNX_NOT_FOUND' });
  });
});
