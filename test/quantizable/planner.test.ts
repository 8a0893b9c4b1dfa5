import { describe, expect, it } from 'vitest';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import { QdqError } from '../../src/errors/qdq-error.ts';
import { observedTensors, toFloatNode, type QdqPlan } from '../../src/quantizable/plan.ts';
import { planQuantization, type PlanRequest } from '../../src/quantizable/planner.ts';
import { body, buildModel, f32, i64, node, scalar } from '../support/build.ts';
import type { Model } from '../../src/graph/model.ts';

const request: PlanRequest = { target: ortCpuX64, scheme: ortCpuX64.scheme };

function plan(model: Model, more: Partial<PlanRequest> = {}): QdqPlan {
  return planQuantization(model, { ...request, ...more });
}

function codeOf(run: () => unknown): { code: string; hint: string | undefined } {
  try {
    run();
  } catch (error) {
    if (error instanceof QdqError) return { code: error.code, hint: error.hint };
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** x → conv1 → relu → conv2 → (+ relu) → relu2 → flatten → gemm → y */
function residual(): Model {
  return buildModel({
    inputs: { x: [1, 4, 4, 4] },
    outputs: { y: [1, 3] },
    initializers: { w1: f32([4, 4, 1, 1]), w2: f32([4, 4, 1, 1]), b2: f32([4]), w3: f32([64, 3]) },
    nodes: [
      node('Conv', ['x', 'w1'], ['c1'], {}, { name: 'conv1' }),
      node('Relu', ['c1'], ['r1'], {}, { name: 'relu1' }),
      node('Conv', ['r1', 'w2', 'b2'], ['c2'], {}, { name: 'conv2' }),
      node('Add', ['c2', 'r1'], ['s'], {}, { name: 'add' }),
      node('Relu', ['s'], ['r2'], {}, { name: 'relu2' }),
      node('Flatten', ['r2'], ['f'], {}, { name: 'flatten' }),
      node('Gemm', ['f', 'w3'], ['y'], {}, { name: 'gemm' }),
    ],
  });
}

describe('planQuantization', () => {
  it('puts quantizers on the edges of regions and nowhere inside', () => {
    const { regions, tensors, float } = plan(residual());
    expect(regions.map(({ node: name, clamps }) => [name, ...clamps])).toEqual([
      ['conv1', 'relu1'],
      ['conv2'],
      ['add', 'relu2'],
      ['flatten'],
      ['gemm'],
    ]);
    expect(tensors.map(({ name, source }) => `${name}:${source}`)).toEqual([
      'x:observe',
      'r1:observe',
      'c2:observe',
      'r2:observe',
      'f:share',
    ]);
    expect(float).toEqual([]);
  });

  it('lets the last Gemm write float, and scales weights per output channel', () => {
    const { regions, weights } = plan(residual());
    expect(regions.at(-1)).toMatchObject({ node: 'gemm', quantizedOutput: false, outputs: ['y'] });
    expect(weights).toEqual([
      { name: 'w1', axis: 0, layout: 'conv' },
      { name: 'w2', axis: 0, layout: 'conv' },
      { name: 'w3', axis: 1, layout: 'columns' },
    ]);
  });

  it('has no weight axis when asked for one scale per tensor', () => {
    const { weights } = plan(residual(), { scheme: { ...ortCpuX64.scheme, perChannel: false } });
    expect(weights.every((weight) => weight.axis === undefined)).toBe(true);
  });

  it('keeps a Relu apart when something else reads what stands before it', () => {
    const model = buildModel({
      inputs: { x: [1, 4, 4, 4] },
      outputs: ['y', 'c1'],
      initializers: { w1: f32([4, 4, 1, 1]), w2: f32([4, 4, 1, 1]) },
      nodes: [
        node('Conv', ['x', 'w1'], ['c1'], {}, { name: 'conv1' }),
        node('Relu', ['c1'], ['r1'], {}, { name: 'relu1' }),
        node('Conv', ['r1', 'w2'], ['y'], {}, { name: 'conv2' }),
      ],
    });
    expect(plan(model).regions.map((region) => region.node)).toEqual(['conv1', 'relu1', 'conv2']);
    expect(observedTensors(plan(model))).toEqual(['x', 'c1', 'r1', 'y']);
  });

  it('leaves float what is only read in float, what nothing int8 feeds, and control flow, each with its reason', () => {
    const model = buildModel({
      inputs: { x: [1, 4, 4, 4], t: [1, 4, 4, 4], c: { type: 'bool', dims: [] } },
      outputs: ['y', 'z'],
      initializers: { w1: f32([4, 4, 1, 1]) },
      nodes: [
        node('Mul', ['x', 'x'], ['x2'], {}, { name: 'square' }),
        node('Conv', ['x2', 'w1'], ['c1'], {}, { name: 'conv1' }),
        node('Sigmoid', ['c1'], ['y'], {}, { name: 'head' }),
        node(
          'If',
          ['c'],
          ['z'],
          {
            then_branch: body({ nodes: [node('Relu', ['t'], ['z1'], {}, { name: 'inner' })], outputs: ['z1'] }),
            else_branch: body({ nodes: [node('Neg', ['t'], ['z2'], {}, { name: 'inner2' })], outputs: ['z2'] }),
          },
          { name: 'if' },
        ),
      ],
    });
    const reasons = Object.fromEntries(plan(model).float.map(({ node: name, reason }) => [name, reason]));
    expect(reasons).toEqual({
      square: 'no int8 node feeds it',
      head: 'its result is only read in float',
      if: 'qdq has no int8 form of If',
      inner: 'no int8 node feeds it',
      inner2: 'qdq has no int8 form of Neg',
    });
  });

  it('leaves float what stands in a body that hands nothing out', () => {
    const model = buildModel({
      domains: { custom: 1 },
      inputs: { x: [1, 4, 4, 4] },
      outputs: ['y', 'z'],
      initializers: { w: f32([4, 4, 1, 1]) },
      nodes: [
        node('Conv', ['x', 'w'], ['y'], {}, { name: 'outer' }),
        node(
          'Repeat',
          ['x'],
          ['z'],
          { body: body({ nodes: [node('Conv', ['x', 'w'], ['c'], {}, { name: 'inner' })], outputs: ['c'] }) },
          { name: 'repeat', domain: 'custom' },
        ),
      ],
    });
    expect(plan(model).regions.map((region) => region.node)).toEqual(['outer']);
    expect(plan(model).float.map(toFloatNode)).toEqual([
      { node: 'inner', op: 'Conv', reason: "it stands in the body of Repeat 'repeat', where ranges are not observed" },
      { node: 'repeat', op: 'Repeat', reason: "operators of domain 'custom' stay as they are" },
    ]);
  });

  it('follows the preferences of the target unless the user names the node', () => {
    const model = buildModel({
      inputs: { x: [1, 4, 4, 4] },
      outputs: ['y'],
      initializers: { w1: f32([4, 4, 1, 1]), w2: f32([4, 4, 1, 1]) },
      nodes: [
        node('Conv', ['x', 'w1'], ['c1'], {}, { name: 'conv1' }),
        node('AveragePool', ['c1'], ['p'], { kernel_shape: [2, 2] }, { name: 'pool' }),
        node('Conv', ['p', 'w2'], ['y'], {}, { name: 'conv2' }),
      ],
    });
    expect(plan(model).float).toMatchObject([{ node: 'pool', reason: ortCpuX64.preferFloat['AveragePool'] }]);
    expect(plan(model, { include: ['Conv', 'AveragePool'] }).float).toEqual([]);
  });

  it('plans one quantized copy of a weight that two nodes share', () => {
    const model = buildModel({
      inputs: { x: [1, 4, 4, 4] },
      outputs: ['y'],
      initializers: { w: f32([4, 4, 1, 1]) },
      nodes: [node('Conv', ['x', 'w'], ['c1']), node('Conv', ['c1', 'w'], ['y'])],
    });
    expect(plan(model).weights).toHaveLength(1);
  });

  it('gives the reason of each refusing node', () => {
    const model = buildModel({
      inputs: { x: [1, 4, 4, 4], w: [4, 4, 1, 1], l: { type: 'float32', dims: [] } },
      outputs: ['a', 'b', 'c', 'd'],
      initializers: {
        k: f32([4, 4, 1, 1]),
        zero: scalar('float32', 0),
        one: scalar('float32', 1),
        pads: i64([0, 0, 1, 1, 0, 0, 1, 1]),
      },
      nodes: [
        node('Conv', ['x', 'k'], ['a']),
        node('Conv', ['x', 'w'], ['b']),
        node('Clip', ['a', 'l'], ['c']),
        node('Pad', ['a', 'pads', 'one'], ['d']),
      ],
    });
    const reasons = plan(model).float.map(({ reason }) => reason);
    expect(reasons).toEqual([
      'its weight is computed at run time',
      'its limits are computed at run time',
      'it pads with a value other than a constant 0',
    ]);
  });
});

describe('--include and --exclude', () => {
  it('match node names, operator types and regular expressions', () => {
    expect(plan(residual(), { exclude: ['conv2'] }).float).toMatchObject([
      { node: 'conv2', reason: 'excluded by --exclude conv2' },
    ]);
    expect(plan(residual(), { exclude: ['Gemm'] }).regions.map((r) => r.op)).not.toContain('Gemm');
    expect(plan(residual(), { include: ['/^conv/'] }).regions.map((r) => r.node)).toEqual(['conv1', 'conv2']);
  });

  it('accept the name of a node that fusion merged into another', () => {
    const fused = new Map([['bn1', 'conv1']]);
    expect(plan(residual(), { exclude: ['bn1'], fused }).float.map((f) => f.node)).toContain('conv1');
  });

  it('refuse what matches nothing, with the nearest name', () => {
    expect(codeOf(() => plan(residual(), { exclude: ['covn2'] }))).toEqual({
      code: 'PLAN_NO_MATCH',
      hint: "did you mean 'conv2'?",
    });
    expect(codeOf(() => plan(residual(), { include: ['Gem'] }))).toEqual({
      code: 'PLAN_NO_MATCH',
      hint: "did you mean 'Gemm'?",
    });
    expect(codeOf(() => plan(residual(), { exclude: ['/(/'] })).code).toBe('PLAN_BAD_PATTERN');
  });
});

describe('models that cannot be planned', () => {
  it('already quantized', () => {
    const model = buildModel({
      inputs: { x: [4] },
      outputs: ['y'],
      initializers: { s: scalar('float32', 1), z: scalar('uint8', 0) },
      nodes: [node('QuantizeLinear', ['x', 's', 'z'], ['q']), node('DequantizeLinear', ['q', 's', 'z'], ['y'])],
    });
    expect(codeOf(() => plan(model)).code).toBe('PLAN_ALREADY_QUANTIZED');
  });

  it('nothing to quantize', () => {
    const model = buildModel({ inputs: { x: [4] }, outputs: ['y'], nodes: [node('Tanh', ['x'], ['y'])] });
    expect(codeOf(() => plan(model)).code).toBe('PLAN_NOTHING');
  });
});
