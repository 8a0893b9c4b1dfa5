import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { tensorForm } from '../../src/backends/other-forms.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import type { TypeProto } from '../../src/onnx/messages.ts';
import { textsOf } from '../../src/onnx/strings.ts';
import { openPorts } from '../../src/intrinsic/widen/ports.ts';
import { body, buildProto, f32, node, scalar, type ModelSpec } from '../support/build.ts';

const tensor: TypeProto = { tensorType: { elemType: 1 } };
const sequence: TypeProto = { sequenceType: { elemType: tensor } };

/** @param types of outputs that the builder cannot say */
function build(spec: ModelSpec, types: Record<string, TypeProto> = {}): Model {
  const proto = buildProto(spec);
  const output = proto.graph!.output!.map((each) => (types[each.name!] ? { ...each, type: types[each.name!]! } : each));
  return modelFromProto({ ...proto, graph: { ...proto.graph, output } });
}

const x: TensorValue = { type: 'float32', dims: [2, 4], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };

async function run(model: Model, fetch?: string[]): Promise<Record<string, TensorValue>> {
  const session = await openSession(model);
  try {
    return await session.run({ x }, fetch);
  } finally {
    await session.dispose();
  }
}

const inputs = { x: ['n', 4] };

describe('outputs that are no tensors', () => {
  it.each([
    ['declared', { q: sequence }],
    ['not declared', {}],
  ])('a sequence is all its elements in a row: %s', async (_, types) => {
    const model = build(
      {
        inputs,
        initializers: { two: scalar('int64', 2) },
        nodes: [node('SplitToSequence', ['x', 'two'], ['q'], { axis: 1 }), node('Neg', ['x'], ['y'])],
        outputs: ['q', 'y'],
      },
      Object.keys(types).length > 0 ? types : { q: sequence },
    );
    const { q, y } = await run(model);
    expect([q!.dims, [...q!.data]]).toEqual([
      [1, 1, 1, 8],
      [1, 2, 5, 6, 3, 4, 7, 8],
    ]);
    expect(y!.dims).toEqual([2, 4]);
    expect(Object.keys(await run(model, ['q']))).toEqual(['q']);
  });

  it('an optional is what it holds, an empty one nothing', async () => {
    const optional: TypeProto = { optionalType: { elemType: tensor } };
    const nodes = [node('Optional', ['x'], ['o']), node('Neg', ['x'], ['y'])];
    const { o } = await run(build({ opset: 18, inputs, nodes, outputs: ['o', 'y'] }, { o: optional }));
    expect([o!.dims, [...o!.data]]).toEqual([[1, 1, 1, 8], [...x.data]]);
    const held: TypeProto = { optionalType: { elemType: sequence } };
    const inner = [node('SequenceConstruct', ['x', 'x'], ['q']), node('Optional', ['q'], ['o']), nodes[1]!];
    const { o: both } = await run(build({ opset: 18, inputs, nodes: inner, outputs: ['o', 'y'] }, { o: held }));
    expect([...both!.data]).toEqual([...x.data, ...x.data]);
  });

  const zip = (): Model =>
    build(
      {
        domains: { 'ai.onnx.ml': 3 },
        inputs,
        initializers: { w: f32([4, 3]) },
        nodes: [
          node('MatMul', ['x', 'w'], ['z']),
          node('Softmax', ['z'], ['p']),
          node('ArgMax', ['p'], ['label'], { axis: 1, keepdims: 0 }),
          node('ZipMap', ['p'], ['probabilities'], { classlabels_int64s: [0, 1, 2] }, { domain: 'ai.onnx.ml' }),
        ],
        outputs: ['label', 'probabilities'],
      },
      {
        label: { tensorType: { elemType: 7 } },
        probabilities: { sequenceType: { elemType: { mapType: { keyType: 7, valueType: tensor } } } },
      },
    );

  it('the maps of ZipMap are the scores they are made of', async () => {
    const session = await openSession(zip());
    expect(session.outputs.map(({ name, type }) => [name, type])).toEqual([
      ['label', 'int64'],
      ['probabilities', 'float32'],
    ]);
    const { probabilities } = await session.run({ x });
    await session.dispose();
    expect(probabilities!.dims).toEqual([2, 3]);
    expect([...probabilities!.data].reduce<number>((sum, value) => sum + Number(value), 0)).toBeCloseTo(2);
  });

  it('training sees the scores, and puts the maps back', () => {
    const model = zip();
    const close = openPorts(model);
    checkModel(model);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['p']);
    close();
    checkModel(model);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['label', 'probabilities']);
  });

  it('a sequence of texts is all its texts in a row', async () => {
    const strings: TypeProto = { sequenceType: { elemType: { tensorType: { elemType: 8 } } } };
    const model = build(
      {
        inputs,
        nodes: [
          node('Cast', ['x'], ['text'], { to: 8 }),
          node('SequenceConstruct', ['text', 'text'], ['q']),
          node('Neg', ['x'], ['y']),
        ],
        outputs: ['q', 'y'],
      },
      { q: strings },
    );
    const { q } = await run(model);
    expect([q!.type, q!.dims]).toEqual(['string', [1, 1, 1, 16]]);
    expect(textsOf(q!.data)).toEqual([...x.data, ...x.data].map(String));
  });

  it('a map that is not made of scores has no tensor', () => {
    const map: TypeProto = { mapType: { keyType: 7, valueType: tensor } };
    const model = build(
      {
        domains: { mine: 1 },
        inputs,
        nodes: [node('MakeMap', ['x'], ['q'], {}, { domain: 'mine' }), node('Neg', ['x'], ['y'])],
        outputs: ['q', 'y'],
      },
      { q: map },
    );
    expect(tensorForm(model, ['q']).twins.size).toBe(0);
  });

  it('the graph with twins keeps every rule, and the given model is left as it is', () => {
    const model = build(
      {
        inputs,
        nodes: [
          node('SequenceConstruct', ['x'], ['s']),
          node('SequenceMap', ['s'], ['q'], {
            body: body({
              inputs: { e: [null, null] },
              nodes: [node('Neg', ['e'], ['f'])],
              outputs: { f: [null, null] },
            }),
          }),
        ],
        outputs: ['q'],
      },
      { q: sequence },
    );
    const { model: form, twins } = tensorForm(model, ['q']);
    checkModel(form);
    expect(form.graph.outputs).toHaveLength(2);
    expect([...twins.keys()]).toEqual(['q']);
    expect(model.graph.outputs).toHaveLength(1);
  });
});
