import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { describePlacement, findPlacement } from '../../src/compare/placement.ts';
import { canSaturate } from '../../src/compare/saturation.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import { buildModel, buildProto, body, f32, node, type ModelSpec } from '../support/build.ts';
import { QdqBuilder, temporaryFolder, writeModelFile } from './support.ts';

const folder = temporaryFolder();
const padded = { pads: [1, 1, 1, 1] };

async function placementOf(name: string, spec: ModelSpec, leftFloat: { node: string; reason: string }[] = []) {
  const path = writeModelFile(join(folder, `${name}.onnx`), spec);
  return findPlacement(modelFromProto(buildProto(spec)), path, path, leftFloat);
}

/** x → Conv → Relu → Add(x) → MaxPool, with the given zero point after the Relu. */
function residual(reluZeroPoint: number): ModelSpec {
  const b = new QdqBuilder();
  const x = b.quantized('x', 0.02, 128);
  b.add('Conv', [x, b.weight('w', [4, 4, 3, 3])], 'conv', padded);
  b.add('Relu', ['conv'], 'relu');
  const relu = b.quantized('relu', 0.02, reluZeroPoint);
  b.add('Add', [relu, x], 'add');
  b.add('MaxPool', [b.quantized('add', 0.03, 100)], 'pool', { kernel_shape: [2, 2], strides: [2, 2] });
  const y = b.quantized('pool', 0.03, 100);
  return { inputs: { x: [1, 4, 8, 8] }, outputs: { [y]: [1, 4, 4, 4] }, initializers: b.initializers, nodes: b.nodes };
}

describe('findPlacement with onnxruntime', () => {
  it('finds every node of a well-formed model in int8', async () => {
    const { placement, nodes } = await placementOf('fused', residual(0));
    expect(nodes).toEqual([]);
    expect(placement.float).toBe(0);
    expect(placement.conversions).toBe(2);
    expect(placement.byOp['QLinearConv']).toEqual({ int8: 1, float: 0 });
    expect(placement.byOp['QLinearAdd']).toEqual({ int8: 1, float: 0 });
  });

  it('names the node that onnxruntime did not fuse, and why', async () => {
    const { placement, nodes } = await placementOf('unfused', residual(10));
    expect(nodes).toEqual([
      { name: 'conv', op: 'Conv', placement: 'not-fused', reason: expect.stringContaining("after 'relu'") },
    ]);
    expect(placement.float).toBe(1);
    expect(placement.byOp['QLinearAdd']).toEqual({ int8: 1, float: 0 });
  });

  it('tells of each conversion what stands around it, and why it is there', async () => {
    const fused = (await placementOf('left', residual(0))).placement;
    expect(fused.left!.map(({ op, reason }) => [op, reason])).toEqual([
      ['QuantizeLinear', 'the input of the model is float'],
      ['DequantizeLinear', 'the output of the model is float'],
    ]);
    expect(fused.left![0]).toMatchObject({ from: 'x' });
    const { left, conversions } = (await placementOf('left-unfused', residual(10))).placement;
    expect(left).toHaveLength(conversions);
    const around = left!.filter(({ from, to }) => from === 'conv' || to.includes('conv'));
    expect(around.length).toBeGreaterThan(1);
    for (const { reason } of around) expect(reason).toMatch(/^'conv' runs in float: .*after 'relu'/);
  });

  it('tells left float, open and unfused nodes apart', async () => {
    const b = new QdqBuilder();
    b.add('Tanh', [b.quantized('x', 0.02, 128)], 'tanh');
    b.add('Conv', [b.quantized('tanh', 0.01, 128), b.weight('w', [4, 4, 3, 3])], 'open', padded);
    b.add('Softmax', ['open'], 'softmax', { axis: 1 });
    b.add('Erf', ['softmax'], 'y');
    const spec = {
      inputs: { x: [1, 4, 8, 8] },
      outputs: { y: [1, 4, 8, 8] },
      initializers: b.initializers,
      nodes: b.nodes,
    };
    const { placement, nodes } = await placementOf('mixed', spec, [
      { node: 'softmax', reason: 'excluded by --exclude' },
    ]);
    expect(nodes.map(({ name, placement: where }) => [name, where])).toEqual([
      ['tanh', 'not-fused'],
      ['open', 'float'],
      ['softmax', 'float'],
      ['y', 'float'],
    ]);
    const reasons = Object.fromEntries(nodes.map(({ name, reason }) => [name, reason]));
    expect(reasons['open']).toContain('its output is not');
    expect(reasons['softmax']).toBe('excluded by --exclude');
    expect(reasons['y']).toBe('no quantizer stands before it');
    expect(placement).toMatchObject({ int8: 0, float: 4 });
  });

  it('does not blame onnxruntime for a node that was left float between quantized ones', async () => {
    const b = new QdqBuilder();
    b.add('MatMul', [b.quantized('x', 0.02, 128), 'w'], 'kept');
    const y = b.quantized('kept', 0.03, 100);
    const initializers = { ...b.initializers, w: f32([4, 4]) };
    const spec = { inputs: { x: [1, 4] }, outputs: { [y]: [1, 4] }, initializers, nodes: b.nodes };
    const row = { name: 'kept', op: 'MatMul', placement: 'float' };
    const found = await placementOf('kept', spec);
    expect(found.nodes).toEqual([{ ...row, reason: "its constant input 'w' is not quantized" }]);
    expect(found.quantizedAnyway).toEqual([]);
    const told = await placementOf('told', spec, [{ node: 'kept', reason: 'sensitive' }]);
    expect(told.nodes).toEqual([{ ...row, reason: 'sensitive' }]);
  });

  it('tells when onnxruntime quantizes what was left float', async () => {
    const b = new QdqBuilder();
    b.add('Conv', [b.quantized('x', 0.02, 128), 'w'], 'kept', padded);
    const y = b.quantized('kept', 0.03, 100);
    const initializers = { ...b.initializers, w: f32([4, 4, 3, 3]) };
    const spec = { inputs: { x: [1, 4, 8, 8] }, outputs: { [y]: [1, 4, 8, 8] }, initializers, nodes: b.nodes };
    const { nodes, quantizedAnyway, placement } = await placementOf('anyway', spec);
    // WeightBiasQuantization does this in onnxruntime 1.30; when it stops, the node must be listed as float instead.
    const runsInt8 = placement.byOp['QLinearConv'] !== undefined;
    expect(quantizedAnyway).toEqual(runsInt8 ? ['kept'] : []);
    expect(nodes.map(({ name }) => name)).toEqual(runsInt8 ? [] : ['kept']);
  });

  it('counts dynamically quantized products, and nothing in a float model', async () => {
    const int = { type: 'int8', dims: [4, 4], data: Int8Array.from({ length: 16 }, (_, i) => i - 8) } as const;
    const dynamic: ModelSpec = {
      inputs: { x: ['n', 4] },
      outputs: { y: { type: 'int32', dims: ['n', 4] } },
      initializers: { w: int },
      nodes: [node('DynamicQuantizeLinear', ['x'], ['q', 's', 'z']), node('MatMulInteger', ['q', 'w', 'z'], ['y'])],
    };
    expect((await placementOf('dynamic', dynamic)).placement).toMatchObject({
      int8: 1,
      float: 0,
      conversions: 1,
      left: [{ from: 'x', reason: 'its scale is found anew in every run' }],
    });
    const float: ModelSpec = {
      inputs: { x: [1, 8, 8, 8] },
      outputs: { y: [1, 8, 8, 8] },
      initializers: { w: f32([8, 8, 3, 3]) },
      nodes: [
        node('Conv', ['x', 'w'], ['c'], padded, { name: 'first' }),
        node('Relu', ['c'], ['y'], {}, { name: 'second' }),
      ],
    };
    const result = await placementOf('float', float);
    expect(result.placement).toMatchObject({ int8: 0, float: 1, conversions: 0 });
    // The blocked layout renames the fused node; the row keeps the name the user knows.
    expect(result.nodes.map(({ name, op }) => [name, op])).toEqual([['first', 'Conv']]);
  });

  it('leaves nothing in the temporary folder', async () => {
    const temporary = mkdtempSync(join(folder, 'tmp-'));
    vi.stubEnv('TMPDIR', temporary);
    vi.stubEnv('TEMP', temporary);
    try {
      await placementOf('clean', residual(0));
    } finally {
      vi.unstubAllEnvs();
    }
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe('describePlacement', () => {
  it('counts the bodies of control flow, not the containers', () => {
    const branch = (op: string) => ({ outputs: { [op]: [1] }, nodes: [node(op, ['x'], [op])] });
    const model = buildModel({
      inputs: { c: { type: 'bool', dims: [] }, x: [1] },
      outputs: { y: [1] },
      nodes: [node('If', ['c'], ['y'], { then_branch: body(branch('Exp')), else_branch: body(branch('Log')) })],
    });
    expect(describePlacement(model, model).placement.byOp).toEqual({
      Exp: { int8: 0, float: 1 },
      Log: { int8: 0, float: 1 },
    });
  });
});

describe('canSaturate', () => {
  const conv = (largest: number) => {
    const b = new QdqBuilder();
    b.add('Conv', [b.quantized('x', 0.02, 128), b.weight('w', [4, 4, 3, 3], largest)], 'conv', padded);
    const y = b.quantized('conv', 0.1, 128);
    return buildModel({ inputs: { x: [1, 4, 8, 8] }, outputs: [y], initializers: b.initializers, nodes: b.nodes });
  };

  it('is true from weights of 65 on, in QDQ models with u8 activations', () => {
    expect(canSaturate(conv(64))).toBe(false);
    expect(canSaturate(conv(65))).toBe(true);
    expect(canSaturate(buildModel({ inputs: { x: [1] }, outputs: ['y'], nodes: [node('Exp', ['x'], ['y'])] }))).toBe(
      false,
    );
  });
});
