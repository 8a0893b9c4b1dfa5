import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { attributeTypes, type FunctionProto, type ModelProto, type NodeProto } from '../../src/onnx/messages.ts';
import { encodeModel } from '../../src/onnx/model-file.ts';
import { adapters } from '../../src/opset/adapters/index.ts';
import {
  isCompatible,
  leastIrVersion,
  newestOpset,
  oldestOpset,
  operators,
  versionAt,
  versionsOf,
} from '../../src/opset/versions.ts';
import { upgradeOpset } from '../../src/opset/upgrade.ts';
import { body, buildModel, buildProto, constant, f32, float, i64, node, scalar } from '../support/build.ts';

const x = f32([2, 3, 4]) as TensorValue;

async function run(model: Model, feeds: Record<string, TensorValue> = { x }): Promise<Record<string, TensorValue>> {
  const session = await openSession(model, { level: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

const types = (model: Model): string[] => [...model.graph.nodes()].map((each) => each.opType);
const error = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('the history', () => {
  it('knows versions', () => {
    expect(versionAt('Softmax', 12)).toBe(11);
    expect(versionAt('Softmax', 13)).toBe(13);
    expect(versionAt('Gelu', 19)).toBeUndefined();
    expect(versionAt('NoSuchOperator', 19)).toBeUndefined();
    expect(versionsOf('TopK').map(({ version, change }) => [version, change])).toEqual([
      [1, undefined],
      [10, 'breaking'],
      [11, 'optional'],
      [24, 'types'],
    ]);
    // IR versions of the releases of onnx, as its documentation lists them.
    expect([7, 10, 13, 15, 19, 21, 23].map(leastIrVersion)).toEqual([4, 5, 7, 8, 9, 10, 11]);
  });

  it('has an adapter or a judgement for every change that breaks', () => {
    const adapted = new Set(adapters.flatMap(({ ops, version }) => ops.map((op) => `${op} ${version}`)));
    const open = operators.flatMap((op) =>
      versionsOf(op)
        .filter(({ version }) => version > oldestOpset && version <= newestOpset)
        .filter((each) => !adapted.has(`${op} ${each.version}`) && !isCompatible(op, each))
        .map(({ version }) => `${op} ${version}`),
    );
    expect(open).toEqual([]);
  });

  it('has no adapter for a version that is none', () => {
    for (const { ops, version } of adapters) {
      for (const op of ops) expect(versionsOf(op).map((each) => each.version)).toContain(version);
    }
  });
});

describe('upgradeOpset', () => {
  const chain = () =>
    buildModel({
      opset: 9,
      irVersion: 3,
      inputs: { x: [2, 3, 4] },
      initializers: { s: f32([3], [1, 2, 1]) },
      initializersAsInputs: ['s'],
      nodes: [
        node('Upsample', ['x', 's'], ['u'], { mode: 'nearest' }),
        node('Softmax', ['u'], ['p'], { axis: 1 }),
        node('Clip', ['p'], ['c'], { max: float(0.125) }),
        node('Squeeze', ['c'], ['y']),
      ],
      outputs: { y: [2, 6, 4] },
    });

  it('carries nodes through several versions and says which', async () => {
    const before = await run(chain());
    const model = chain();
    const log = upgradeOpset(model, 13);
    checkModel(model);
    expect(types(model)).toEqual(['Resize', 'Shape', 'Flatten', 'Softmax', 'Reshape', 'Clip', 'Squeeze']);
    expect(log).toEqual({
      from: 9,
      to: 13,
      adapted: [
        { node: 'n_u', op: 'Upsample', from: 9, to: 13 },
        { node: 'n_p', op: 'Softmax', from: 1, to: 13 },
        { node: 'n_c', op: 'Clip', from: 6, to: 11 },
      ],
    });
    expect(model.irVersion).toBe(7);
    expect(await run(model)).toEqual(before);
    expect(model.graph.values.get('c_max')?.constant?.floats()).toEqual(Float32Array.of(0.125));
  });

  it('finds the shape of what no declaration tells, so that a Softmax over the last axis stays one', async () => {
    const attention = () =>
      buildModel({
        opset: 12,
        inputs: { x: [2, 3, 4] },
        initializers: { target: i64([0, 3, 2, 2]) },
        nodes: [
          node('Reshape', ['x', 'target'], ['h']),
          node('Transpose', ['h'], ['t'], { perm: [0, 2, 1, 3] }),
          node('Mul', ['t', 't'], ['m']),
          node('Softmax', ['m'], ['y'], { axis: 3 }),
        ],
        outputs: ['y'],
      });
    const model = attention();
    upgradeOpset(model, 17);
    expect(types(model)).toEqual(['Reshape', 'Transpose', 'Mul', 'Softmax']);
    expect(await run(model)).toEqual(await run(attention()));
  });

  it('gives the same model in one step and in many', () => {
    const [direct, stepwise] = [chain(), chain()];
    upgradeOpset(direct, newestOpset);
    for (let opset = 10; opset <= newestOpset; opset++) upgradeOpset(stepwise, opset);
    const ops = (model: Model): unknown =>
      modelToProto(model).graph!.node!.map((each) => [each.opType, each.attribute]);
    expect(ops(stepwise)).toEqual(ops(direct));
  });

  it('leaves a model that is new enough as it was', () => {
    const proto = buildProto({ opset: 13, inputs: { x: [2] }, nodes: [node('Relu', ['x'], ['y'])], outputs: ['y'] });
    const model = modelFromProto(proto);
    expect(upgradeOpset(model, 13)).toEqual({ from: 13, to: 13, adapted: [] });
    expect(upgradeOpset(model, 10)).toEqual({ from: 13, to: 13, adapted: [] });
    model.opsets.set('', newestOpset + 2);
    expect(upgradeOpset(model, newestOpset + 2).adapted).toEqual([]);
    model.opsets.set('', 13);
    expect(Buffer.compare(encodeModel(modelToProto(model)), encodeModel(proto))).toBe(0);
  });

  it('changes the version alone where nothing must be adapted', () => {
    const spec = { inputs: { x: [2] }, nodes: [node('Relu', ['x'], ['y'])], outputs: ['y'] } as const;
    const model = buildModel({ opset: 7, ...spec });
    upgradeOpset(model, 13);
    expect(modelToProto(model)).toEqual(buildProto({ opset: 13, ...spec }));
  });

  it('keeps a number at the end of int64', () => {
    const slice = node('Slice', ['x'], ['y'], { axes: [0], starts: [1] });
    slice.attribute!.push({ name: 'ends', ints: [2n ** 63n - 1n], type: attributeTypes.ints });
    const model = buildModel({ opset: 9, inputs: { x: [4] }, nodes: [slice], outputs: ['y'] });
    upgradeOpset(model, 13);
    expect(model.graph.values.get('y_ends')?.constant?.data()).toEqual(BigInt64Array.of(2n ** 63n - 1n));
  });

  it('writes float16 and float64 limits in the type of the data', () => {
    for (const [type, bits] of [
      ['float16', Uint16Array.of(0x3800)],
      ['float64', Float64Array.of(0.5)],
    ] as const) {
      const nodes = [node('Clip', ['x'], ['y'], { max: float(0.5), min: float(0) })];
      const model = buildModel({ opset: 7, inputs: { x: { type, dims: [2] } }, nodes, outputs: ['y'] });
      upgradeOpset(model, 11);
      expect(model.graph.values.get('y_max')?.constant).toMatchObject({ type: { name: type }, dims: [] });
      expect(model.graph.values.get('y_max')?.constant?.data()).toEqual(bits);
    }
  });

  it('writes the float32 limits out where the type has larger numbers', () => {
    const inputs = { x: { type: 'float64', dims: [2] } } as const;
    const model = buildModel({ opset: 7, inputs, nodes: [node('Clip', ['x'], ['y'])], outputs: ['y'] });
    upgradeOpset(model, 11);
    const limit = Math.fround(3.4028234663852886e38);
    expect(model.graph.values.get('y_min')?.constant?.data()).toEqual(Float64Array.of(-limit));
    expect(model.graph.values.get('y_max')?.constant?.data()).toEqual(Float64Array.of(limit));
  });

  it('keeps the precision of GroupNormalization', () => {
    const inputs = { x: { type: 'float16', dims: [1, 4, 2] } } as const;
    const initializers = { s: constant('float16', [2], [0x3c00, 0x3c00]), b: constant('float16', [2], [0, 0]) };
    const nodes = [node('GroupNormalization', ['x', 's', 'b'], ['y'], { num_groups: 2 })];
    const model = buildModel({ opset: 18, inputs, initializers, nodes, outputs: ['y'] });
    upgradeOpset(model, 21);
    expect([...model.graph.nodes()].find((each) => each.is('GroupNormalization'))!.int('stash_type')).toBe(10);
  });

  it('upgrades bodies, whose constants stand in the body', async () => {
    const branch = (opType: string): ReturnType<typeof body> =>
      body({
        nodes: [
          node('Softmax', ['x'], [`${opType}_p`]),
          node(opType, [`${opType}_p`], [`${opType}_y`], { axes: [0], keepdims: 0 }),
        ],
        outputs: { [`${opType}_y`]: [3, 4] },
      });
    const spec = {
      inputs: { x: [2, 3, 4], c: { type: 'bool', dims: [] } },
      nodes: [node('If', ['c'], ['y'], { then_branch: branch('ReduceSum'), else_branch: branch('ReduceMax') })],
      outputs: { y: [3, 4] },
    } as const;
    for (const choice of [0, 1]) {
      const feeds = { x, c: constant('bool', [], [choice]) as TensorValue };
      const before = await run(buildModel({ opset: 11, ...spec }), feeds);
      for (const target of [13, 18, 21, newestOpset]) {
        const model = buildModel({ opset: 11, ...spec });
        upgradeOpset(model, target);
        checkModel(model);
        expect(await run(model, feeds)).toEqual(before);
        const [thenBranch] = [...model.graph.nodes()].flatMap((each) => [...each.subgraphs()]);
        expect(thenBranch!.values.get('ReduceSum_y_axes')?.constant?.ints()).toEqual([0]);
      }
    }
  });

  it('passes other domains through', () => {
    const nodes = [node('Softmax', ['x'], ['y'], { axis: 1 }, { domain: 'my.domain' })];
    const model = buildModel({ opset: 7, domains: { 'my.domain': 1 }, inputs: { x: [2] }, nodes, outputs: ['y'] });
    expect(upgradeOpset(model, 21).adapted).toEqual([]);
    expect(modelToProto(model).graph!.node).toEqual(nodes);
    expect(model.opsets).toEqual(
      new Map([
        ['', 21],
        ['my.domain', 1],
      ]),
    );
  });
});

describe('functions', () => {
  const withFunction = (nodes: NodeProto[], opset = 12): ModelProto => {
    const call: FunctionProto = {
      name: 'f',
      domain: 'my.domain',
      input: ['a'],
      output: ['b'],
      node: nodes,
      opsetImport: [{ domain: '', version: opset }],
    };
    const main = [node('F', ['x'], ['y'], {}, { domain: 'my.domain' })];
    const proto = buildProto({
      opset: 12,
      domains: { 'my.domain': 1 },
      inputs: { x: [2, 3, 4] },
      nodes: main,
      outputs: ['y'],
    });
    return { ...proto, functions: [{ ...call, name: 'F' }] };
  };

  it('are upgraded, with constants as nodes', async () => {
    const proto = withFunction([node('Softmax', ['a'], ['p']), node('ReduceSum', ['p'], ['b'], { axes: [1] })]);
    const before = await run(modelFromProto(proto));
    for (const target of [13, 18, 21]) {
      const model = modelFromProto(proto);
      const { adapted } = upgradeOpset(model, target);
      expect(adapted.map((each) => each.node)).toEqual(['n_p of function F', 'n_b of function F']);
      expect(model.functions[0]!.opsetImport).toEqual([{ domain: '', version: target }]);
      expect(await run(model)).toEqual(before);
    }
  });

  it('keep their message but for the version when nothing must be adapted', () => {
    const proto = withFunction([node('Relu', ['a'], ['b'])]);
    const model = modelFromProto(proto);
    upgradeOpset(model, 18);
    expect(model.functions[0]).toEqual({ ...proto.functions![0], opsetImport: [{ domain: '', version: 18 }] });
    const newer = withFunction([node('Relu', ['a'], ['b'])], 19);
    const other = modelFromProto(newer);
    upgradeOpset(other, 18);
    expect(other.functions[0]).toBe(newer.functions![0]);
  });

  it('refuse attributes that their caller decides', () => {
    const squeeze = node('Squeeze', ['a'], ['b']);
    squeeze.attribute!.push({ name: 'axes', refAttrName: 'axes', type: attributeTypes.ints });
    expect(() => upgradeOpset(modelFromProto(withFunction([squeeze])), 13)).toThrow(
      error('OPSET_CANNOT_UPGRADE', /'n_b of function F' \(Squeeze\).*12 to 13.*'axes' is a parameter/),
    );
  });

  it('that are too old are refused by name', () => {
    const proto = withFunction([node('Relu', ['a'], ['b'])], 6);
    expect(() => upgradeOpset(modelFromProto(proto), 13)).toThrow(error('OPSET_TOO_OLD', /function 'F' is opset 6/));
  });
});

describe('refusals', () => {
  const statistics = { s: f32([2]), b: f32([2]), m: f32([2]), v: f32([2], [1, 1]) };

  it.each([
    ['a batched Scan', 8, 'Scan', {}, [], /Scan\).*opset 8 to 9: it runs over a batch/],
    ['spatial = 0', 7, 'BatchNormalization', { spatial: 0 }, [], /opset 7 to 9: .*spatial = 0/],
    ['training', 9, 'BatchNormalization', {}, ['mean', 'var'], /opset 9 to 14: it is in training mode/],
    ['a mask in use', 9, 'Dropout', {}, ['mask'], /opset 9 to 10: its mask 'mask' is read/],
    ['a mask in use', 10, 'Dropout', {}, ['mask'], /opset 10 to 12: its mask 'mask' is read/],
    ['an unknown operator', 9, 'ImageScaler', {}, [], /opset 9 to 21: opset 9 has no such operator/],
    ['an operator of later', 9, 'Gelu', {}, [], /opset 9 to 21: opset 9 has no such operator/],
    [
      'pixels placed',
      11,
      'Resize',
      { coordinate_transformation_mode: 'tf_half_pixel_for_nn' },
      [],
      /opset 11 to 13: .*'round_prefer_floor'/,
    ],
  ] as const)('%s', (_, opset, opType, attributes, more, message) => {
    const inputs = opType === 'BatchNormalization' ? ['x', ...Object.keys(statistics)] : ['x'];
    const nodes = [node(opType, inputs, ['y', ...more], attributes)];
    const model = buildModel({
      opset,
      inputs: { x: [1, 2] },
      initializers: statistics,
      nodes,
      outputs: ['y', ...more],
    });
    expect(() => upgradeOpset(model, 21)).toThrow(
      error('OPSET_CANNOT_UPGRADE', new RegExp(`node 'n_y' .*${message.source}`)),
    );
  });

  it('a limit whose type nothing tells', () => {
    const nodes = [node('Mystery', ['x'], ['h'], {}, { domain: 'd' }), node('Clip', ['h'], ['y'], { max: float(0.1) })];
    const inputs = { x: { type: 'int32', dims: [1] } } as const;
    const model = buildModel({ opset: 7, domains: { d: 1 }, inputs, nodes, outputs: ['y'] });
    expect(() => upgradeOpset(model, 13)).toThrow(error('OPSET_CANNOT_UPGRADE', /'n_y' \(Clip\).*element type.*int32/));
  });

  it('models and targets out of range', () => {
    const model = (opset: number) =>
      buildModel({
        opset,
        inputs: { x: [2] },
        initializers: { b: scalar('float32', 1), i: i64([0]) },
        nodes: [node('Add', ['x', 'b'], ['y'], { broadcast: 1 })],
        outputs: ['y'],
      });
    expect(() => upgradeOpset(model(6), 13)).toThrow(error('OPSET_TOO_OLD', /opset 6 .*opset 13/));
    expect(() => upgradeOpset(model(7), newestOpset + 1)).toThrow(error('OPSET_UNKNOWN', /opset 27.*26/));
  });
});
