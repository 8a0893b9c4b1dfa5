/** The list of operators that pass NaN on is a claim about onnxruntime: every entry is tried in every position. */
import { describe, expect, it } from 'vitest';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { rangesOf } from '../../src/calibrate/state.ts';
import type { Model } from '../../src/graph/model.ts';
import { type TensorValue, elementCount } from '../../src/onnx/data-types.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { make } from '../quantized/make-quantized.ts';
import { run, sqnr } from '../quantized/support.ts';
import { buildModel, f32, node, scalar, i64, type Constant } from '../support/build.ts';
import { openSession } from '../../src/backends/session.ts';
import { nanStops, passesNaN } from '../../src/calibrate/nan-flow.ts';
import { datasetOf, floats, sha } from './samples.ts';

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

/** NaN that the model removes itself, and NaN that it does not. */

/** Rows in which nothing is allowed give NaN in Softmax; `end` makes 'y' of 'z'. */
function padded(...end: NodeProto[]): Model {
  return buildModel({
    inputs: { x: [1, 4, 8], m: { type: 'bool', dims: [1, 4, 1] } },
    outputs: { y: [1, 4, 8] },
    initializers: { w: f32([8, 8]), v: f32([8, 8]), low: scalar('float32', -Infinity), zero: scalar('float32', 0) },
    nodes: [
      node('MatMul', ['x', 'w'], ['h']),
      node('Where', ['m', 'h', 'low'], ['hm']),
      node('Softmax', ['hm'], ['p'], { axis: -1 }),
      node('MatMul', ['p', 'v'], ['z']),
      ...end,
    ],
  });
}
const guarded = padded(node('Where', ['m', 'z', 'zero'], ['y']));
const feeds = (i: number): Record<string, TensorValue> => ({
  x: floats([1, 4, 8], (j) => Math.sin(j * 3.7 + i)),
  m: { type: 'bool', dims: [1, 4, 1], data: Uint8Array.of(1, 1, 0, 0) },
});
const samples = [0, 1, 2].map((i) => ({ id: `s${i}`, inputs: feeds(i) }));
const observe = (model: Model, tensors: string[], observer = 'minmax') =>
  calibrate(model, tensors, datasetOf(samples), [0, 1, 2], { modelSha256: sha, observer });

describe('NaN before a guard', () => {
  it.each(['minmax', 'mse', 'percentile'])('does not count: %s', async (observer) => {
    const { min, max } = rangesOf(await observe(guarded, ['x', 'p', 'z'], observer)).get('p')!;
    expect(min).toBe(0);
    expect(max).toBeGreaterThan(0.1);
    expect(max).toBeLessThan(1);
  });

  it('is an error without the guard, and where it passes one', async () => {
    await expect(observe(padded(node('Relu', ['z'], ['y'])), ['x', 'p'])).rejects.toMatchObject({
      code: 'CALIBRATE_NAN',
    });
    const other = padded(node('Where', ['m', 'zero', 'z'], ['y']));
    await expect(observe(other, ['x', 'p'])).rejects.toMatchObject({ code: 'CALIBRATE_NAN' });
  });

  it.each(['IsNaN', 'IsInf'])('%s of it is none that goes on', async (test) => {
    const model = padded(node(test, ['z'], ['t']), node('Where', ['t', 'zero', 'z'], ['y']));
    const result = observe(model, ['x', 'p']);
    await (test === 'IsNaN' ? result : expect(result).rejects.toMatchObject({ code: 'CALIBRATE_NAN' }));
  });

  it('dynamic: takes no scale away from the rows that are kept', async () => {
    const { model } = await make('dynamic', guarded);
    const [float, int8] = await Promise.all(
      [guarded, model].map(async (each) => (await run(each, feeds(0))).outputs['y']!),
    );
    expect(sqnr(float!, int8!)).toBeGreaterThan(30);
  });
});
