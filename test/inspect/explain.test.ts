import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { explainModel } from '../../src/inspect/explain.ts';
import { quantizeModel } from '../../src/index.ts';
import { inspectModel } from '../../src/inspect/inspect.ts';
import { saveModel } from '../../src/onnx/model-file.ts';
import { buildProto, f32, node } from '../support/build.ts';

const fixtures = resolve(import.meta.dirname, '../../fixtures');

it('lists every fusion, every int8 region and every float node of a float model', async () => {
  const explanation = await explainModel(join(fixtures, 'exports/decoder/model.onnx'), { target: 'ort-cpu-x64' });
  if (explanation.kind !== 'float') throw new Error('a float model was taken for an int8 one');
  expect(explanation.applied.map(({ pass }) => pass)).toContain('conv-bn');
  expect(explanation.regions.map(({ op }) => op)).toContain('Conv');
  expect(explanation.float).toContainEqual(
    expect.objectContaining({ op: 'ConvTranspose', reason: expect.stringContaining('no int8 ConvTranspose kernel') }),
  );
});

it('carries the reasons into the int8 model and says what onnxruntime runs', async () => {
  const output = join(mkdtempSync(join(tmpdir(), 'qdq-explain-')), 'decoder.int8.onnx');
  const model = join(fixtures, 'exports/decoder/model.onnx');
  await quantizeModel({
    model,
    output,
    data: join(fixtures, 'exports/decoder'),
    report: false,
    threads: 1,
    target: 'ort-cpu-x64-avx2',
  });
  const explanation = await explainModel(output);
  if (explanation.kind !== 'int8') throw new Error('an int8 model was taken for a float one');
  expect(explanation.stamp).toMatchObject({ target: 'ort-cpu-x64-avx2', calibration: 'mse over 1 samples' });
  expect(explanation.stamp!.float.map(({ op }) => op)).toContain('ConvTranspose');
  expect(explanation.placement.int8).toBeGreaterThan(0);
});

it('upgrades as far as quantize would with the same --opset, and no further', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-explain-'));
  const model = join(folder, 'gelu.onnx');
  const gelu = [node('Div', ['a', 'r'], ['d']), node('Erf', ['d'], ['e']), node('Add', ['e', 'one'], ['p'])];
  const proto = buildProto({
    opset: 17,
    inputs: { x: [1, 8] },
    initializers: { w: f32([8, 8]), r: f32([], [Math.SQRT2]), one: f32([], [1]), half: f32([], [0.5]) },
    nodes: [
      node('MatMul', ['x', 'w'], ['a']),
      ...gelu,
      node('Mul', ['a', 'p'], ['m']),
      node('Mul', ['m', 'half'], ['g']),
      node('MatMul', ['g', 'w'], ['y']),
    ],
    outputs: ['y'],
  });
  saveModel(proto, model);
  const passes = async (opset?: number): Promise<string[]> => {
    const explanation = await explainModel(model, { target: 'ort-cpu-x64', ...(opset !== undefined && { opset }) });
    return explanation.kind === 'float' ? explanation.applied.map(({ pass }) => pass) : [];
  };
  expect(await passes()).toContain('gelu');
  expect(await passes(17)).not.toContain('gelu');
  expect(await passes(20)).toContain('gelu');
  const { fusion } = await inspectModel(model, { target: 'ort-cpu-x64', opset: 17 });
  if ('problem' in fusion) return expect.unreachable();
  expect(fusion.refused).toContainEqual(expect.objectContaining({ reason: expect.stringContaining('opset 20') }));
  for (const tell of [explainModel, inspectModel])
    await expect(tell(model, { target: 'ort-cpu-x64', opset: 8 })).rejects.toMatchObject({ code: 'OPSET_TOO_LOW' });
});

it('knows a node that fusion merged into another by its old name, as quantize does', async () => {
  const model = join(fixtures, 'digits/model.onnx');
  const explanation = await explainModel(model, { exclude: ['/stem/stem.1/BatchNormalization'] });
  if (explanation.kind !== 'float') throw new Error('a float model was taken for an int8 one');
  expect(explanation.float.map(({ node }) => node)).toContain('/stem/stem.0/Conv');
});
