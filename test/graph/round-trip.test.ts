import { onnx } from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { decodeModel, encodeModel } from '../../src/onnx/model-file.ts';

type Shape = readonly (number | string | null)[];

const info = (name: string, elemType: number, dims?: Shape): onnx.IValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType,
      ...(dims && {
        shape: { dim: dims.map((d) => (typeof d === 'number' ? { dimValue: d } : d === null ? {} : { dimParam: d })) },
      }),
    },
  },
});

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Models of the independent writer, with the habits that files really have. */
const models: Record<string, onnx.IModelProto> = {
  'IR 3: weights among the inputs, unnamed nodes, typed data': {
    irVersion: 3,
    opsetImport: [{ domain: '', version: 9 }],
    producerName: 'someone',
    graph: {
      name: 'g',
      docString: 'a graph',
      input: [info('x', 1, ['n', 2]), info('w', 1, [2, 2]), info('axes', 7, [1])],
      initializer: [
        { name: 'w', dataType: 1, dims: [2, 2], floatData: [1, 2, 3, 4] },
        { name: 'axes', dataType: 7, dims: [1], int64Data: [-1] },
      ],
      node: [
        { opType: 'MatMul', input: ['x', 'w'], output: ['m'] },
        { opType: 'Relu', input: ['m'], output: ['y'], docString: 'kept' },
      ],
      output: [info('y', 1, [null, 2])],
      valueInfo: [info('m', 1), info('never', 1, [3])],
    },
  },
  'bodies, optional inputs and outputs, another domain, metadata': {
    irVersion: 8,
    domain: 'my.domain',
    modelVersion: 3,
    opsetImport: [
      { domain: 'ai.onnx', version: 13 },
      { domain: 'com.microsoft', version: 1 },
    ],
    metadataProps: [
      { key: 'a', value: 'b' },
      { key: 'empty', value: '' },
    ],
    graph: {
      name: 'main',
      input: [info('x', 1, [4]), info('c', 9, [])],
      initializer: [{ name: 'k', dataType: 1, dims: [], rawData: bytes(0, 0, 128, 63) }],
      node: [
        { opType: 'Clip', name: 'clip', input: ['x', '', 'k'], output: ['r'] },
        { opType: 'Dropout', name: 'drop', input: ['r'], output: ['d', ''], domain: 'ai.onnx' },
        {
          opType: 'If',
          name: 'if',
          input: ['c'],
          output: ['y'],
          attribute: [
            {
              name: 'then_branch',
              type: 5,
              g: {
                name: 'then',
                node: [{ opType: 'Add', input: ['d', 'k'], output: ['t'] }],
                output: [info('t', 1)],
                valueInfo: [info('outer', 1)],
              },
            },
            {
              name: 'else_branch',
              type: 5,
              g: {
                name: 'else',
                initializer: [{ name: 'e', dataType: 1, dims: [1], floatData: [2] }],
                output: [info('e', 1)],
              },
            },
          ],
        },
        {
          opType: 'Fancy',
          domain: 'com.microsoft',
          input: ['y'],
          output: ['z'],
          attribute: [
            { name: 'f', type: 1, f: 0.1 },
            { name: 'i', type: 2, i: -3 },
            { name: 's', type: 3, s: bytes(255, 0, 1) },
            { name: 't', type: 4, t: { name: 'inner', dataType: 7, dims: [2], int64Data: [1, -1] } },
            { name: 'fs', type: 6, floats: [1, 0.5] },
            { name: 'is', type: 7, ints: [1, -1] },
            { name: 'ss', type: 8, strings: [bytes(97), bytes()] },
            { name: 'untyped', ints: [4] },
          ],
        },
      ],
      output: [info('z', 1), info('x', 1, [4]), info('k', 1)],
      quantizationAnnotation: [{ tensorName: 'r', quantParameterTensorNames: [{ key: 'SCALE_TENSOR', value: 'k' }] }],
    },
  },
};

describe('modelFromProto and modelToProto', () => {
  it.each(Object.entries(models))('give back every byte: %s', (_, spec) => {
    const file = onnx.ModelProto.encode(onnx.ModelProto.create(spec)).finish();
    const model = modelFromProto(decodeModel(file));
    checkModel(model);
    expect(Buffer.compare(encodeModel(modelToProto(model)), file)).toBe(0);
  });

  it('keep what the schema does not know when the message around it changes', () => {
    const file = onnx.ModelProto.encode(
      onnx.ModelProto.create(models['IR 3: weights among the inputs, unnamed nodes, typed data']!),
    ).finish();
    // Field 1000 (varint 7), which no version of ONNX has, at the end of the model.
    const model = modelFromProto(decodeModel(Uint8Array.from([...file, 0xc0, 0x3e, 7])));
    model.irVersion = 4;
    const again = encodeModel(modelToProto(model));
    expect([...again.subarray(-3)]).toEqual([0xc0, 0x3e, 7]);
    expect(Number(onnx.ModelProto.decode(again).irVersion)).toBe(4);
  });

  it('write what was changed, and nothing else', () => {
    const spec = models['bodies, optional inputs and outputs, another domain, metadata']!;
    const file = onnx.ModelProto.encode(onnx.ModelProto.create(spec)).finish();
    const model = modelFromProto(decodeModel(file));
    const clip = [...model.graph.nodes()][0]!;
    clip.setFloat('extra', 0.5);
    model.graph.rename(model.graph.values.get('d')!, 'renamed');
    const written = onnx.ModelProto.decode(encodeModel(modelToProto(model)));
    const [first, drop, branch] = written.graph!.node!;
    expect(first!.attribute![0]).toMatchObject({ name: 'extra', f: 0.5, type: 1 });
    expect(drop!.output).toEqual(['renamed', '']);
    expect(branch!.attribute![0]!.g!.node![0]!.input).toEqual(['renamed', 'k']);
    first!.attribute = [];
    drop!.output = ['d', ''];
    branch!.attribute![0]!.g!.node![0]!.input = ['d', 'k'];
    expect(Buffer.compare(onnx.ModelProto.encode(written).finish(), file)).toBe(0);
  });

  it.each([
    ['an input that nothing defines', { node: [{ opType: 'Relu', input: ['q'], output: ['y'] }] }, 'GRAPH_UNDEFINED'],
    ['an output that nothing defines', { output: [info('q', 1)] }, 'GRAPH_UNDEFINED'],
    [
      'a name defined twice',
      { input: [info('x', 1)], node: [{ opType: 'Relu', input: ['x'], output: ['x'] }] },
      'GRAPH_DEFINED_TWICE',
    ],
    [
      'an initializer twice',
      { initializer: [1, 2].map((n) => ({ name: 'k', dataType: 1, dims: [1], floatData: [n] })) },
      'GRAPH_DEFINED_TWICE',
    ],
  ])('refuse %s', (_, graph, code) => {
    const file = onnx.ModelProto.encode(
      onnx.ModelProto.create({ irVersion: 8, opsetImport: [{ version: 13 }], graph }),
    ).finish();
    expect(() => modelFromProto(decodeModel(file))).toThrow(expect.objectContaining({ code }));
  });
});
