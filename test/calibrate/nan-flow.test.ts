/** The list of operators that pass NaN on is a claim about onnxruntime: every entry is tried in every position. */
import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { nanStops, passesNaN } from '../../src/calibrate/nan-flow.ts';
import { elementCount } from '../../src/onnx/data-types.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { buildModel, f32, i64, node, scalar, type Constant } from '../support/build.ts';
import { floats } from './samples.ts';

interface Case {
  readonly node: NodeProto;
  readonly initializers?: Record<string, Constant>;
  readonly dims?: readonly number[];
}

const image = [1, 8, 4, 5];
const positive = (dims: readonly number[]): Constant =>
  f32(
    dims,
    Array.from({ length: elementCount(dims) }, (_, i) => 0.5 + (i % 3)),
  );
const unary = (opType: string): Case => ({ node: node(opType, ['x'], ['y']) });
const binary = (opType: string): Case => ({
  node: node(opType, ['x', 'c'], ['y']),
  initializers: { c: scalar('float32', 0.5) },
});
const perChannel = { s: positive([8]), b: positive([8]), m: positive([8]), v: positive([8]) };

const special: Record<string, Case> = {
  PRelu: binary('PRelu'),
  Clip: {
    node: node('Clip', ['x', 'l', 'h'], ['y']),
    initializers: { l: scalar('float32', 0), h: scalar('float32', 6) },
  },
  Add: binary('Add'),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  Div: binary('Div'),
  Sum: binary('Sum'),
  Conv: { node: node('Conv', ['x', 'w'], ['y'], { pads: [1, 1, 1, 1] }), initializers: { w: f32([8, 8, 3, 3]) } },
  Gemm: { node: node('Gemm', ['x', 'w'], ['y']), initializers: { w: f32([5, 7]) }, dims: [4, 5] },
  MatMul: { node: node('MatMul', ['x', 'w'], ['y']), initializers: { w: f32([5, 7]) } },
  BatchNormalization: { node: node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], ['y']), initializers: perChannel },
  InstanceNormalization: {
    node: node('InstanceNormalization', ['x', 's', 'b'], ['y']),
    initializers: { s: perChannel.s, b: perChannel.b },
  },
  LayerNormalization: { node: node('LayerNormalization', ['x', 's'], ['y']), initializers: { s: positive([5]) } },
  Reshape: { node: node('Reshape', ['x', 'r'], ['y']), initializers: { r: i64([-1]) } },
  Squeeze: { node: node('Squeeze', ['x', 'a'], ['y']), initializers: { a: i64([0]) } },
  Unsqueeze: { node: node('Unsqueeze', ['x', 'a'], ['y']), initializers: { a: i64([0]) } },
  Concat: { node: node('Concat', ['c', 'x'], ['y'], { axis: 0 }), initializers: { c: f32(image) } },
};

describe('passesNaN', () => {
  it.each([...passesNaN])('%s passes NaN on from every position, optimized or not', async (opType) => {
    const { node: proto, initializers = {}, dims = image } = special[opType] ?? unary(opType);
    const model = buildModel({ inputs: { x: dims }, initializers, nodes: [proto], outputs: ['y'], opset: 20 });
    for (const level of ['disabled', 'all'] as const) {
      const session = await openSession(model, { level });
      for (let at = 0; at < elementCount(dims); at++) {
        const { y } = await session.run({ x: floats(dims, (i) => (i === at ? NaN : Math.sin(i * 3.7))) });
        expect((y!.data as Float32Array).some(Number.isNaN), `${level}, position ${at}`).toBe(true);
      }
      await session.dispose();
    }
  });

  it('leaves out the kernels that lose NaN, which is why min and max do not find it', async () => {
    for (const opType of ['ReduceMax', 'ReduceMin', 'GlobalMaxPool']) {
      expect(passesNaN.has(opType)).toBe(false);
      const session = await openSession(
        buildModel({ inputs: { x: image }, nodes: [node(opType, ['x'], ['y'])], outputs: ['y'] }),
      );
      const { y } = await session.run({ x: floats(image, (i) => (i === 7 ? NaN : i)) });
      expect((y!.data as Float32Array).some(Number.isNaN)).toBe(false);
      await session.dispose();
    }
  });
});

describe('nanStops', () => {
  const conv = (attributes: Record<string, number[]>, kernel = 3) => ({
    inputs: { x: [1, 4, 8, 8] },
    initializers: { w: f32([4, 4, kernel, kernel]) },
    nodes: [node('Conv', ['x', 'w'], ['y'], attributes)],
    outputs: ['y'],
  });
  const stops = (spec: Parameters<typeof buildModel>[0]): string[] =>
    nanStops(buildModel(spec).graph).map(({ name }) => name);

  it('watches the ends of the graph and what a lossy operator reads', () => {
    const nodes = [
      node('Relu', ['x'], ['a']),
      node('MaxPool', ['a'], ['b'], { kernel_shape: [2, 2] }),
      node('Relu', ['b'], ['y']),
    ];
    expect(stops({ inputs: { x: [1, 1, 4, 4] }, nodes, outputs: ['y'] })).toEqual(['a', 'y']);
  });

  it('needs one user that passes NaN on', () => {
    const nodes = [
      node('Relu', ['x'], ['a']),
      node('MaxPool', ['a'], ['b'], { kernel_shape: [1, 1] }),
      node('Add', ['a', 'b'], ['y']),
    ];
    expect(stops({ inputs: { x: [1, 1, 4, 4] }, nodes, outputs: ['y'] })).toEqual(['y']);
  });

  it('trusts a convolution only when its windows leave no gap', () => {
    expect(stops(conv({}))).toEqual(['y']);
    expect(stops(conv({ strides: [2, 2], pads: [1, 1, 1, 1] }))).toEqual(['y']);
    expect(stops(conv({ strides: [2, 2] }))).toEqual(['x', 'y']);
    expect(stops(conv({ strides: [2, 2] }, 1))).toEqual(['x', 'y']);
    expect(stops(conv({ dilations: [2, 2] }))).toEqual(['x', 'y']);
  });

  it('cannot sum sequences', () => {
    const nodes = [node('SplitToSequence', ['x'], ['s']), node('ConcatFromSequence', ['s'], ['y'], { axis: 0 })];
    expect(stops({ inputs: { x: [4] }, nodes, outputs: ['y'] })).toEqual([]);
  });
});
