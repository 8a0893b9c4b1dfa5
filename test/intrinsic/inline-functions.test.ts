/** Functions made by hand, run by onnxruntime as functions and as inlined nodes. */
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/session.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import type { FusionLog } from '../../src/intrinsic/pass.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import { decodeModel, encodeModel } from '../../src/onnx/model-file.ts';
import { attributeTypes, type FunctionProto, type NodeProto } from '../../src/onnx/messages.ts';
import { body, buildProto, f32, float, node, type ModelSpec } from '../support/build.ts';
import { feed, run } from './fuse.ts';

const here = { domain: 'here' };

function fn(name: string, spec: Omit<FunctionProto, 'name' | 'domain'>): FunctionProto {
  const opsetImport = [
    { domain: '', version: 17 },
    { domain: 'here', version: 1 },
  ];
  return { name, domain: 'here', opsetImport, ...spec };
}

/** The node with attribute `own` taken from the call's attribute `from`. */
function referring(each: NodeProto, own: string, from: string, type: number): NodeProto {
  return { ...each, attribute: [...(each.attribute ?? []), { name: own, refAttrName: from, type }] };
}

interface Inlined {
  readonly model: Model;
  readonly log: FusionLog;
  readonly ops: string[];
}

/** Both forms give the same bits. */
async function inlined(spec: ModelSpec, functions: FunctionProto[]): Promise<Inlined> {
  const proto = { ...buildProto({ domains: { here: 1 }, ...spec }), functions };
  const read = (): Model => modelFromProto(decodeModel(encodeModel(proto)));
  const feeds = feed({ x: [1, 3, 4, 4] });
  const before = await run(read(), feeds);
  const model = read();
  const log = await fuse(model, { executor: createExecutor(), afterPass: (_, each) => checkModel(each) });
  const after = await run(modelFromProto(decodeModel(encodeModel(modelToProto(model)))), feeds);
  expect(Object.keys(after)).toEqual(Object.keys(before));
  for (const [name, { data, dims }] of Object.entries(before)) {
    expect(after[name]!.dims).toEqual(dims);
    expect(after[name]!.data).toEqual(data);
  }
  return { model, log, ops: [...model.allNodes()].map((each) => each.opType) };
}

const convolve = fn('Convolve', {
  input: ['data', 'kernel', 'bias'],
  output: ['result'],
  attribute: ['pads'],
  attributeProto: [{ name: 'slope', type: attributeTypes.float, f: 0.25 }],
  node: [
    referring(
      node('Conv', ['data', 'kernel', 'bias'], ['made'], {}, { name: 'conv' }),
      'pads',
      'pads',
      attributeTypes.ints,
    ),
    referring(node('LeakyRelu', ['made'], ['result']), 'alpha', 'slope', attributeTypes.float),
  ],
});

const weights = { w: f32([3, 3, 3, 3]), b: f32([3]) };
const x = { x: [1, 3, 4, 4] };

describe('a function with weights', () => {
  it('is inlined at every call, each with its own attributes, defaults and inputs', async () => {
    const { model, log, ops } = await inlined(
      {
        inputs: x,
        initializers: weights,
        nodes: [
          node(
            'Convolve',
            ['x', 'w', 'b'],
            ['made'],
            { pads: [1, 1, 1, 1], slope: float(0.5) },
            { ...here, name: 'one' },
          ),
          node('Convolve', ['made', 'w'], ['y'], {}, { ...here, name: 'two' }),
        ],
        outputs: { y: [1, 3, 2, 2] },
      },
      [convolve],
    );
    expect(ops).toEqual(['Conv', 'LeakyRelu', 'Conv', 'LeakyRelu']);
    expect(model.functions).toEqual([]);
    const [conv, leaky, second, last] = [...model.graph.nodes()];
    expect(conv!.label).toBe('one/conv');
    expect([leaky!.output()!.name, last!.output()!.name]).toEqual(['made', 'y']);
    expect([conv!.ints('pads'), second!.ints('pads')]).toEqual([[1, 1, 1, 1], undefined]);
    expect([leaky!.float('alpha'), last!.float('alpha')]).toEqual([0.5, 0.25]);
    expect(log.applied.filter(({ pass }) => pass === 'inline-functions').map(({ nodes }) => nodes)).toEqual([
      ['one'],
      ['two'],
    ]);
  });

  it('is found through functions that call it, and in bodies', async () => {
    const outer = fn('Outer', {
      input: ['p', 'q', 'r'],
      output: ['s'],
      node: [
        node('Convolve', ['p', 'q', 'r'], ['t'], { pads: [1, 1, 1, 1] }, here),
        node('Twice', ['t'], ['s'], {}, here),
      ],
    });
    const twice = fn('Twice', { input: ['a'], output: ['b'], node: [node('Add', ['a', 'a'], ['b'])] });
    const { model, ops } = await inlined(
      {
        inputs: x,
        initializers: { ...weights, zero: f32([], [0]) },
        nodes: [
          node('ReduceSum', ['x'], ['total'], { keepdims: 0 }),
          node('Greater', ['total', 'zero'], ['which']),
          node('If', ['which'], ['y'], {
            then_branch: body({ nodes: [node('Outer', ['x', 'w', 'b'], ['z'], {}, here)], outputs: ['z'] }),
            else_branch: body({ nodes: [node('Identity', ['x'], ['z'])], outputs: ['z'] }),
          }),
        ],
        outputs: ['y'],
      },
      [convolve, outer, twice],
    );
    expect(ops.filter((op) => op === 'Conv' || op === 'Twice' || op === 'Outer')).toEqual(['Conv', 'Twice']);
    expect(model.functions.map(({ name }) => name)).toEqual(['Twice']);
  });

  it('may hold bodies that use its names, its inputs and attributes', async () => {
    const choose = fn('Choose', {
      input: ['data', 'kernel'],
      output: ['result', 'same'],
      attribute: ['alpha'],
      node: [
        node('ReduceMax', ['data'], ['top'], { keepdims: 0 }),
        node('Cast', ['top'], ['which'], { to: 9 }),
        node('If', ['which'], ['result'], {
          then_branch: body({
            initializers: { w: f32([3, 3, 1, 1]) },
            nodes: [
              node('Conv', ['data', 'kernel'], ['x']),
              referring(node('Elu', ['x'], ['elu']), 'alpha', 'alpha', attributeTypes.float),
              node('Conv', ['elu', 'w'], ['z']),
            ],
            outputs: ['z'],
          }),
          else_branch: body({ nodes: [node('Conv', ['data', 'kernel'], ['z'])], outputs: ['z'] }),
        }),
        node('Neg', ['result'], ['same']),
      ],
    });
    const { model } = await inlined(
      {
        inputs: x,
        initializers: { w: weights.w },
        nodes: [node('Choose', ['x', 'w'], ['a', 'b'], { alpha: float(0.75) }, here), node('Relu', ['b'], ['c'])],
        outputs: ['a', 'b', 'c'],
      },
      [choose],
    );
    expect([...model.allNodes()].find((each) => each.opType === 'Elu')!.float('alpha')).toBe(0.75);
  });

  it('may give a result or an input several times, which onnxruntime only takes inlined', async () => {
    const parts = fn('Parts', {
      input: ['data', 'kernel'],
      output: ['left', 'right', 'right', 'data'],
      node: [node('Conv', ['data', 'kernel'], ['c']), node('Split', ['c'], ['left', 'right'], { axis: 3 })],
    });
    const spec: ModelSpec = {
      domains: { here: 1 },
      inputs: x,
      initializers: { w: weights.w },
      nodes: [node('Parts', ['x', 'w'], ['', 'r', 's', 'd'], {}, here), node('Neg', ['s'], ['t'])],
      outputs: ['r', 's', 't', 'd'],
    };
    const model = modelFromProto({ ...buildProto(spec), functions: [parts] });
    await fuse(model, { executor: createExecutor(), afterPass: (_, each) => checkModel(each) });
    expect([...model.allNodes()].map(({ opType }) => opType)).toEqual(['Conv', 'Split', 'Identity', 'Identity', 'Neg']);
    const feeds = feed({ x: [1, 3, 4, 4] });
    const { r, s, t, d } = await run(model, feeds);
    expect(s!.data).toEqual(r!.data);
    expect(t!.data).toEqual((r!.data as Float32Array).map((value) => -value));
    expect(d!.data).toEqual(feeds['x']!.data);
  });
});

describe('a function that stays', () => {
  const gentle = fn('Gentle', { input: ['a'], output: ['b'], node: [node('Tanh', ['a'], ['b'])] });

  it('holds nothing to fuse or quantize, or is not called', async () => {
    const { model, ops, log } = await inlined(
      { inputs: x, nodes: [node('Gentle', ['x'], ['y'], {}, here)], outputs: ['y'] },
      [gentle, convolve],
    );
    expect(ops).toEqual(['Gentle']);
    expect(model.functions.map(({ name }) => name)).toEqual(['Gentle', 'Convolve']);
    expect(log.applied).toEqual([]);
  });

  it('is written in another opset, and that is the reason', async () => {
    const other = { ...convolve, opsetImport: [{ domain: '', version: 16 }] };
    const { model, ops, log } = await inlined(
      {
        inputs: x,
        initializers: weights,
        nodes: [node('Convolve', ['x', 'w', 'b'], ['y'], {}, here)],
        outputs: ['y'],
      },
      [other],
    );
    expect(ops).toEqual(['Convolve']);
    expect(model.functions).toHaveLength(1);
    expect(log.refused).toContainEqual({
      pass: 'inline-functions',
      node: 'n_y',
      reason: "function 'Convolve' is written in opset 16, the model in opset 17",
    });
  });

  it('is told by its overload', async () => {
    const overloaded = { ...gentle, overload: 'soft' };
    const heavy = fn('Gentle', {
      overload: 'heavy',
      input: ['a', 'k'],
      output: ['b'],
      node: [node('Conv', ['a', 'k'], ['b'])],
    });
    const call = (overload: string, inputs: string[], output: string) => ({
      ...node('Gentle', inputs, [output], {}, here),
      overload,
    });
    const { ops } = await inlined(
      {
        irVersion: 10,
        inputs: x,
        initializers: weights,
        nodes: [call('heavy', ['x', 'w'], 'h'), call('soft', ['h'], 'y')],
        outputs: ['y'],
      },
      [overloaded, heavy],
    );
    expect(ops).toEqual(['Conv', 'Gentle']);
  });
});

it('refuses a function that calls itself', async () => {
  const endless = fn('Endless', {
    input: ['a', 'k'],
    output: ['b'],
    node: [node('Conv', ['a', 'k'], ['c']), node('Endless', ['c', 'k'], ['b'], {}, here)],
  });
  const nodes = [node('Endless', ['x', 'w'], ['y'], {}, here)];
  const proto = { ...buildProto({ domains: { here: 1 }, inputs: x, initializers: weights, nodes, outputs: ['y'] }) };
  const model = modelFromProto({ ...proto, functions: [endless] });
  await expect(fuse(model, { executor: createExecutor() })).rejects.toMatchObject({ code: 'GRAPH_FUNCTION_CYCLE' });
});
