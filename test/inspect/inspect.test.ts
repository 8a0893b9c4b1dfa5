import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onnx } from 'onnx-proto';
import { expect, it } from 'vitest';
import { inspectModel } from '../../src/inspect/inspect.ts';
import { encodeModel } from '../../src/onnx/model-file.ts';
import { buildProto, f32, node } from '../support/build.ts';

const digits = join(import.meta.dirname, '../../fixtures/digits/model.onnx');

it('counts what an independent reader counts', async () => {
  const graph = onnx.ModelProto.decode(readFileSync(digits)).graph!;
  const counts: Record<string, number> = {};
  for (const { opType } of graph.node!) counts[opType!] = (counts[opType!] ?? 0) + 1;
  const elements = graph.initializer!.reduce(
    (sum, { dims }) => sum + dims!.reduce<number>((n, d) => n * Number(d), 1),
    0,
  );
  const found = await inspectModel(digits);
  expect(found.operators).toEqual(counts);
  expect(found.nodes).toBe(graph.node!.length);
  const constants = graph.node!.filter(({ opType }) => opType === 'Constant').length;
  expect(found.parameters.elements).toBe(elements + constants);
  expect(found.parameters.bytes).toBe(4 * found.parameters.elements);
  expect(found.bytes).toBe(readFileSync(digits).length);
  expect(found.inputs).toEqual([{ name: 'image', type: 'float32', dims: ['batch', 1, 16, 16] }]);
});

it.each(['constructor', 'hasOwnProperty', '__proto__'])('knows no operator called %s', async (name) => {
  const path = join(mkdtempSync(join(tmpdir(), 'qdq-inspect-')), 'model.onnx');
  const proto = buildProto({
    inputs: { x: [1, 4] },
    initializers: { w: f32([4, 4]) },
    nodes: [node('MatMul', ['x', 'w'], ['a']), node(name, ['a'], ['b']), node('MatMul', ['b', 'w'], ['y'])],
    outputs: ['y'],
  });
  writeFileSync(path, encodeModel(proto));
  const { quantization } = await inspectModel(path);
  if ('problem' in quantization) return expect.unreachable();
  expect(quantization.float).toMatchObject([{ op: name, reason: `qdq has no int8 form of ${name}` }]);
});

it('tells what fuses and what runs in int8', async () => {
  const found = await inspectModel(digits, { target: 'ort-cpu-x64', exclude: ['Gemm'] });
  if ('problem' in found.fusion || 'problem' in found.quantization) return expect.unreachable();
  expect(found.fusion.applied.filter(({ pass }) => pass === 'conv-bn')).toHaveLength(
    found.operators['BatchNormalization']!,
  );
  expect(found.quantization).toMatchObject({ target: 'ort-cpu-x64', int8: { Conv: found.operators['Conv'] } });
  expect(found.quantization.float).toContainEqual(
    expect.objectContaining({ op: 'Gemm', reason: expect.stringContaining('--exclude') }),
  );
});

it('says why nothing can be quantized, and tells the rest', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'qdq-inspect-')), 'abs.onnx');
  const proto = buildProto({ inputs: { x: ['n', 4] }, nodes: [node('Abs', ['x'], ['y'])], outputs: { y: ['n', 4] } });
  writeFileSync(path, encodeModel(proto));
  expect(await inspectModel(path)).toMatchObject({
    operators: { Abs: 1 },
    unnamedNodes: 0,
    quantization: { code: 'PLAN_NOTHING', problem: expect.stringContaining('Abs') },
  });
});

it('sees that a model is quantized already', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'qdq-inspect-')), 'q.onnx');
  const proto = buildProto({
    inputs: { x: [4] },
    initializers: { scale: f32([], [0.1]) },
    nodes: [node('QuantizeLinear', ['x', 'scale'], ['q']), node('DequantizeLinear', ['q', 'scale'], ['y'])],
    outputs: { y: [4] },
  });
  writeFileSync(path, encodeModel(proto));
  expect(await inspectModel(path)).toMatchObject({
    quantizeNodes: 2,
    quantization: { code: 'PLAN_ALREADY_QUANTIZED' },
  });
});

it('refuses an unknown target and a pattern that matches nothing', async () => {
  await expect(inspectModel(digits, { target: 'ort-cpu-x46' })).rejects.toMatchObject({
    kind: 'usage',
    hint: "did you mean 'ort-cpu-x64'?",
  });
  await expect(inspectModel(digits, { include: ['Convv'] })).rejects.toMatchObject({
    kind: 'usage',
    code: 'PLAN_NO_MATCH',
  });
});
