/** Functions made by hand, run by onnxruntime as functions and as inlined nodes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/session.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import {
  body,
  buildModel,
  constant,
  f32,
  node,
  scalar,
  type GraphSpec,
  type ModelSpec,
  buildProto,
  float,
} from '../support/build.ts';
import { feed, fuseChecked, run } from './fuse.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import type { FusionLog } from '../../src/intrinsic/pass.ts';
import { decodeModel, encodeModel } from '../../src/onnx/model-file.ts';
import { attributeTypes, type FunctionProto, type NodeProto } from '../../src/onnx/messages.ts';

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

const feeds = feed({ x: [2, 3] });
const choose = (go: string, outputs: string[], then: GraphSpec, other: GraphSpec) =>
  node('If', [go], outputs, { then_branch: body(then), else_branch: body(other) });
const spec = (nodes: ModelSpec['nodes'], more: Partial<ModelSpec> = {}): ModelSpec => ({
  inputs: { x: [2, 3] },
  outputs: ['y'],
  initializers: { yes: scalar('bool', 1), no: constant('bool', [1], [0]) },
  nodes,
  ...more,
});

describe('constant-if', () => {
  it('takes the branch of the condition, whatever its results are and who reads them', async () => {
    const sources = fc.constantFrom('computed', 'constant');
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(fc.record({ source: sources, isOutput: fc.boolean() }), { minLength: 1, maxLength: 3 }),
        async (go, results) => {
          // Every computed result is read inside as well, by the node of the next one.
          const branch = (opType: 'Sin' | 'Cos', prefix: string): GraphSpec => ({
            initializers: Object.fromEntries(results.map((_, i) => [`${prefix}k${i}`, f32([2, 3])])),
            nodes: results.map((_, i) => node(opType, [i === 0 ? 'x' : `${prefix}${i - 1}`], [`${prefix}${i}`])),
            outputs: results.map(({ source }, i) => (source === 'computed' ? `${prefix}${i}` : `${prefix}k${i}`)),
          });
          const outputs = results.map((_, i) => `r${i}`);
          const nodes = [
            choose(go ? 'yes' : 'no', outputs, branch('Sin', 'a'), branch('Cos', 'b')),
            ...outputs.map((name, i) => node('Neg', [name], [`y${i}`])),
          ];
          const named = results.flatMap(({ isOutput }, i) => (isOutput ? [`y${i}`, `r${i}`] : [`y${i}`]));
          const { ops, log } = await fuseChecked(spec(nodes, { outputs: named }), feeds);
          expect(ops).not.toContain('If');
          expect(ops).not.toContain(go ? 'Cos' : 'Sin');
          expect(log.refused).toEqual([]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('folds the condition first, and goes on with what is inside', async () => {
    const inner = choose(
      'yes',
      ['t'],
      { nodes: [node('Relu', ['s'], ['u'])], outputs: ['u'] },
      { nodes: [node('Neg', ['s'], ['v'])], outputs: ['v'] },
    );
    const nodes = [
      node('Equal', ['rate', 'fast'], ['go']),
      choose(
        'go',
        ['y'],
        { nodes: [node('Neg', ['x'], ['n'])], outputs: ['n'] },
        { nodes: [node('Sin', ['x'], ['s']), inner], outputs: ['t'] },
      ),
    ];
    const initializers = { ...spec([]).initializers!, rate: scalar('int64', 16000), fast: scalar('int64', 8000) };
    const { ops } = await fuseChecked(spec(nodes, { initializers }), feeds);
    expect(ops).toEqual(['Sin', 'Relu']);
  });

  it('works in bodies of other nodes, and moves bodies along', async () => {
    const loop = node('Loop', ['trips', 'yes', 's'], ['out'], {
      body: body({
        inputs: { i: { type: 'int64', dims: [] }, go: { type: 'bool', dims: [] }, state: [2, 3] },
        outputs: { still: { type: 'bool', dims: [] }, next: [2, 3] },
        nodes: [node('Identity', ['go'], ['still']), node('Add', ['state', 's'], ['next'])],
      }),
    });
    const constantOne = choose(
      'yes',
      ['a'],
      { nodes: [node('Sin', ['x'], ['s']), loop], outputs: ['out'] },
      { nodes: [node('Cos', ['x'], ['c'])], outputs: ['c'] },
    );
    const nodes = [
      choose(
        'fed',
        ['y'],
        { nodes: [constantOne], outputs: ['a'] },
        { nodes: [node('Neg', ['x'], ['z'])], outputs: ['z'] },
      ),
    ];
    const model = spec(nodes, {
      inputs: { x: [2, 3], fed: { type: 'bool', dims: [] } },
      initializers: { ...spec([]).initializers!, trips: scalar('int64', 3) },
    });
    const { ops, model: fused } = await fuseChecked(model, { ...feeds, fed: scalar('bool', 1) as TensorValue });
    expect(ops).toEqual(['If']);
    expect([...fused.allNodes()].map((each) => each.opType)).toEqual(['If', 'Sin', 'Loop', 'Identity', 'Add', 'Neg']);
  });

  it('gives every moved value a name of its own and keeps those of the results', async () => {
    const branch = (inner: string): GraphSpec => ({
      nodes: [node('Sin', ['x'], [inner]), node('Neg', [inner], ['same'])],
      outputs: ['same'],
    });
    const nodes = [
      choose('yes', ['p'], branch('i'), branch('i')),
      choose('no', ['q'], branch('i'), branch('i')),
      node('Add', ['p', 'q'], ['y']),
    ];
    const { model } = await fuseChecked(spec(nodes, { outputs: ['p', 'q', 'y'] }), feeds, 0, ['unique-names']);
    const names = [...model.graph.nodes()].map((each) => each.output()!.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(['p', 'q', 'y']));
    expect(new Set([...model.graph.nodes()].map((each) => each.name)).size).toBe(names.length);
  });

  it('moves a branch that only hands on what stands outside', async () => {
    const through: GraphSpec = { nodes: [node('Identity', ['r'], ['t'])], outputs: ['t'] };
    const nodes = [node('Relu', ['x'], ['r']), choose('yes', ['y'], through, through)];
    // The Identity moves out, and is then judged like any other.
    const { ops } = await fuseChecked(spec(nodes), feeds);
    expect(ops).toEqual(['Relu']);
  });

  it('leaves one result under two names of the model, which onnxruntime does not run right either', async () => {
    const twice: GraphSpec = { nodes: [node('Sin', ['x'], ['t'])], outputs: ['t', 't'] };
    const nodes = [choose('yes', ['y', 'z'], twice, twice)];
    const model = buildModel(spec(nodes, { outputs: ['y', 'z'] }));
    const { refused } = await fuse(model, { executor: createExecutor(), afterPass: (_, each) => checkModel(each) });
    const reason = "'z' is a graph output and only another name for 't'";
    expect(refused).toContainEqual({ pass: 'constant-if', node: 'n_y', reason });
    const read = buildModel(spec([...nodes, node('Neg', ['z'], ['n'])], { outputs: ['y', 'n'] }));
    await fuse(read, { executor: createExecutor(), afterPass: (_, each) => checkModel(each) });
    expect([...read.graph.nodes()].map((each) => each.opType)).toEqual(['Sin', 'Neg']);
  });
});
