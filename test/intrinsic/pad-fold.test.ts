import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { f32, float, i64, node, scalar, type AttributeSpec, type Constant, type ModelSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';

const sizes = (max: number) => fc.array(fc.integer({ min: 0, max }), { minLength: 4, maxLength: 4 });
const around = ([a, b, c, d]: readonly number[]) => [0, 0, a!, b!, 0, 0, c!, d!];

interface Case {
  readonly opType: string;
  readonly pads: readonly number[];
  readonly own?: readonly number[];
  readonly attributes?: Record<string, AttributeSpec>;
  readonly value?: number;
  readonly opset?: number;
}

const x = [1, 2, 5, 6];
const feeds = feed({ x });

function specOf({ opType, pads, own, attributes = {}, value, opset = 17 }: Case): ModelSpec {
  const old = opset < 11;
  const more: Record<string, AttributeSpec> = value === undefined ? {} : { value: float(value) };
  const pad = old
    ? node('Pad', ['x'], ['p'], { pads: [...pads], ...more })
    : node('Pad', value === undefined ? ['x', 'pads'] : ['x', 'pads', 'value'], ['p']);
  const kernel = { kernel_shape: [3, 3], ...(own ? { pads: [...own] } : {}), ...attributes };
  return {
    opset,
    inputs: { x },
    outputs: ['y'],
    initializers: {
      w: f32([3, 2, 3, 3]),
      ...(old ? {} : { pads: i64(pads) }),
      ...(value === undefined || old ? {} : { value: scalar('float32', value) }),
    },
    nodes: [pad, node(opType, opType === 'Conv' ? ['p', 'w'] : ['p'], ['y'], kernel)],
  };
}

describe('pad-fold', () => {
  it('adds to the padding of Conv, of any size, in every opset', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes(3),
        fc.option(sizes(2), { nil: undefined }),
        fc.constantFrom(1, 2),
        fc.constantFrom(9, 11, 17),
        fc.constantFrom(undefined, 0),
        async (pads, own, stride, opset, value) => {
          const attributes = { strides: [stride, stride] };
          const spec = specOf({
            opType: 'Conv',
            pads: around(pads),
            ...(own ? { own } : {}),
            attributes,
            opset,
            ...(value === undefined ? {} : { value }),
          });
          const { ops, model } = await fuseChecked(spec, feeds, 2 * 20 * unit * 18);
          expect(ops).toEqual(['Conv']);
          // Nothing to pad at all is no padding: the node is removed as such.
          if (pads.every((size) => size === 0)) return;
          expect([...model.graph.nodes()][0]!.ints('pads')).toEqual(pads.map((size, i) => size + (own?.[i] ?? 0)));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('becomes padding that AveragePool counts, or says why not', async () => {
    await fc.assert(
      fc.asyncProperty(sizes(3), sizes(2), fc.boolean(), async (pads, own, counted) => {
        const spec = specOf({
          opType: 'AveragePool',
          pads: around(pads),
          own,
          attributes: { count_include_pad: Number(counted) },
        });
        if (pads.every((size) => size === 0)) return;
        if (!counted && own.some((size) => size > 0)) {
          await expectRefusal(spec, feeds, 'pad-fold', 'n_p', /has padding that it does not count/);
        } else if (pads.some((size, i) => size + own[i]! >= 3)) {
          await expectRefusal(spec, feeds, 'pad-fold', 'n_p', /smaller than its kernel/);
        } else {
          expect((await fuseChecked(spec, feeds, 4 * unit)).ops).toEqual(['AveragePool']);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('becomes padding of MaxPool where nothing is smaller', async () => {
    const pads = around([1, 2, 0, 1]);
    const infinite = specOf({ opType: 'MaxPool', pads, own: [1, 0, 0, 1], value: -Infinity });
    expect((await fuseChecked(infinite, feeds)).ops).toEqual(['MaxPool']);
    const zero = specOf({ opType: 'MaxPool', pads });
    const [pad, pool] = zero.nodes as [ModelSpec['nodes'][number], ModelSpec['nodes'][number]];
    await expectRefusal(zero, feeds, 'pad-fold', 'n_p', /pads with 0, which may be larger/);
    const behind = { ...zero, nodes: [node('Relu', ['x'], ['r']), { ...pad, input: ['r', 'pads'] }, pool] };
    expect((await fuseChecked(behind, feeds)).ops).toEqual(['Relu', 'MaxPool']);
  });

  it('folds into every reader, and reads axes', async () => {
    const spec: ModelSpec = {
      opset: 18,
      inputs: { x },
      outputs: ['y', 'z'],
      initializers: { w: f32([3, 2, 3, 3]), pads: i64([1, 2, 0, 1]), axes: i64([-1, 2]) },
      nodes: [
        node('Pad', ['x', 'pads', '', 'axes'], ['p']),
        node('Conv', ['p', 'w'], ['y'], { auto_pad: 'VALID' }),
        node('AveragePool', ['p'], ['z'], { kernel_shape: [3, 3] }),
      ],
    };
    const { ops, model } = await fuseChecked(spec, feeds, 1e-5);
    expect(ops).toEqual(['Conv', 'AveragePool']);
    expect([...model.graph.nodes()].map((each) => each.ints('pads'))).toEqual([
      [2, 1, 1, 0],
      [2, 1, 1, 0],
    ]);
  });

  const pads = around([1, 1, 1, 1]);
  const initializers = (changed: Record<string, Constant>, spec = specOf({ opType: 'Conv', pads })): ModelSpec => ({
    ...spec,
    initializers: { ...spec.initializers!, ...changed },
  });
  const padded = (attributes: Record<string, AttributeSpec>, spec = specOf({ opType: 'Conv', pads })): ModelSpec => ({
    ...spec,
    nodes: [node('Pad', ['x', 'pads'], ['p'], attributes), spec.nodes[1]!],
  });
  const conv = specOf({ opType: 'Conv', pads });

  it.each<[string, ModelSpec, RegExp]>([
    ['another mode', padded({ mode: 'reflect' }), /it pads by 'reflect'/],
    ['another number', specOf({ opType: 'Conv', pads, value: 1 }), /it pads with 1, not 0/],
    ['another number for AveragePool', specOf({ opType: 'AveragePool', pads, value: 2 }), /it pads with 2, not 0/],
    ['cropping', initializers({ pads: i64(around([1, -1, 1, 1])) }), /it crops/],
    ['batches', initializers({ pads: i64([1, 0, 0, 0, 0, 0, 0, 0]) }), /pads batches or channels/],
    [
      'a layer that pads by itself',
      specOf({ opType: 'Conv', pads, attributes: { auto_pad: 'SAME_UPPER' } }),
      /pads by itself \(auto_pad = SAME_UPPER\)/,
    ],
    ['a pool that rounds up', specOf({ opType: 'AveragePool', pads, attributes: { ceil_mode: 1 } }), /ceil_mode = 1/],
    [
      'a pool with gaps',
      specOf({ opType: 'MaxPool', pads, value: -Infinity, attributes: { dilations: [2, 2] } }),
      /has gaps/,
    ],
    ['a result that is a graph output', { ...conv, outputs: ['y', 'p'] }, /'p' is a graph output/],
    [
      'a result that another node reads',
      { ...conv, nodes: [...conv.nodes, node('Relu', ['p'], ['z'])], outputs: ['y', 'z'] },
      /also read by Relu 'n_z'/,
    ],
  ])('leaves %s', (_, spec, reason) => expectRefusal(spec, feeds, 'pad-fold', 'n_p', reason));

  it('leaves pads that are fed', () => {
    const { pads: fed, ...rest } = conv.initializers!;
    const spec = { ...conv, inputs: { x, pads: { type: 'int64', dims: [8] } }, initializers: rest } as ModelSpec;
    return expectRefusal(spec, { ...feeds, pads: fed as never }, 'pad-fold', 'n_p', /its pads are not constant/);
  });
});
