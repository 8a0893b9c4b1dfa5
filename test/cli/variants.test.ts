/** `qdq variants`: the files transformers.js asks for by name, each with its figures; what a model cannot have is told. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import { loadModel, saveModel } from '../../src/onnx/model-file.ts';
import { buildProto, f32, node } from '../support/build.ts';
import { run, temporaryFolder } from './run.ts';

interface Row {
  readonly dtype: string;
  readonly path?: string;
  readonly sqnrDb?: number;
  readonly pareto?: boolean;
  readonly reason?: string;
}

async function make(nodes: Parameters<typeof buildProto>[0], more: readonly string[] = []) {
  const folder = temporaryFolder();
  const model = join(folder, 'model.onnx');
  saveModel(buildProto(nodes), model);
  const outcome = await run([
    'variants',
    model,
    '--for',
    'transformers.js',
    '-o',
    join(folder, 'onnx'),
    '--json',
    '-q',
    ...more,
  ]);
  const { variants } = JSON.parse(outcome.stdout) as { variants: Row[] };
  return { ...outcome, folder: join(folder, 'onnx'), rows: new Map(variants.map((row) => [row.dtype, row])) };
}

const typesOf = (path: string): string[] =>
  [...modelFromProto(loadModel(path).proto).allNodes()].map(({ opType }) => opType);

it('makes and compares every file of a model of matrices', async () => {
  const { exitCode, folder, rows } = await make({
    inputs: { x: [1, 64] },
    outputs: { y: [1, 8] },
    initializers: { w1: f32([64, 64]), w2: f32([64, 8]) },
    nodes: [node('MatMul', ['x', 'w1'], ['h']), node('Relu', ['h'], ['r']), node('MatMul', ['r', 'w2'], ['y'])],
  });
  expect(exitCode).toBe(0);
  const names = ['', '_fp16', '_int8', '_q4', '_q4f16', '_quantized', '_uint8'].map((suffix) => `model${suffix}.onnx`);
  expect(readdirSync(folder).sort()).toEqual(names.sort());
  expect(typesOf(join(folder, 'model_quantized.onnx')).some((type) => /MatMulInteger|DynamicQuantize/.test(type))).toBe(
    true,
  );
  expect(typesOf(join(folder, 'model_q4.onnx'))).toContain('MatMulNBits');
  expect(typesOf(join(folder, 'model_q4f16.onnx'))).toContain('MatMulNBits');
  const sqnr = (dtype: string): number => rows.get(dtype)!.sqnrDb!;
  // Each is held against the float model: float16 loses least, 4 bits most, and the two together no less than 4 bits alone.
  expect(sqnr('fp16')).toBeGreaterThan(sqnr('q8'));
  expect(sqnr('q8')).toBeGreaterThan(sqnr('q4'));
  expect(Math.abs(sqnr('q4f16') - sqnr('q4'))).toBeLessThan(3);
  // Nothing is as exact as the float model itself.
  expect(rows.get('fp32')!.pareto).toBe(true);
  expect([...rows.values()].every(({ path, pareto }) => (path !== undefined) === (pareto !== undefined))).toBe(true);
}, 60_000);

it('says why a model without matrices has no 4-bit form, and gives it unsigned 8-bit weights', async () => {
  const { exitCode, rows } = await make({
    inputs: { x: [1, 4, 8, 8] },
    outputs: ['y'],
    initializers: { w: f32([8, 4, 3, 3]) },
    nodes: [node('Conv', ['x', 'w'], ['y'])],
  });
  expect(exitCode).toBe(0);
  expect(rows.get('q4')).toMatchObject({ reason: expect.stringContaining('weight-only') });
  const { proto } = loadModel(rows.get('q8')!.path!);
  const codes = modelFromProto(proto).graph.values.values();
  expect([...codes].some(({ initializer }) => initializer?.type.name === 'uint8' && initializer.size > 1)).toBe(true);
}, 60_000);

it('makes and compares every file of a model with open dimensions, without data', async () => {
  const { exitCode, folder, rows } = await make({
    inputs: { ids: { type: 'int64', dims: ['n', 's'] } },
    outputs: { y: ['n', 's', 64] },
    initializers: { w: f32([64, 32]), v: f32([32, 64]) },
    nodes: [node('Gather', ['w', 'ids'], ['e']), node('MatMul', ['e', 'v'], ['y'])],
  });
  expect(exitCode).toBe(0);
  expect([...rows].filter(([, { reason }]) => reason !== undefined)).toEqual([]);
  expect(readdirSync(folder)).toHaveLength(rows.size);
  expect(Math.abs(rows.get('q4f16')!.sqnrDb! - rows.get('q4')!.sqnrDb!)).toBeLessThan(1);
});

it('makes them of the operator set that is asked for', async () => {
  const { rows } = await make(
    {
      opset: 17,
      inputs: { x: [1, 64] },
      outputs: { y: [1, 64] },
      initializers: { w1: f32([64, 64]) },
      nodes: [node('MatMul', ['x', 'w1'], ['h']), node('Relu', ['h'], ['y'])],
    },
    ['--opset', '21'],
  );
  const opsetOf = (dtype: string): number => modelFromProto(loadModel(rows.get(dtype)!.path!).proto).opset;
  expect(['fp32', 'fp16', 'int8', 'q4', 'q4f16'].map(opsetOf)).toEqual([17, 21, 21, 21, 21]);
});
