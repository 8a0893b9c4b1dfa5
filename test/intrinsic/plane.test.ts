/** Planes that are worked out, against those that onnxruntime makes. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createPlanes } from '../../src/intrinsic/plane.ts';
import { openSession } from '../../src/backends/session.ts';
import { buildModel, f32, i64, node, type AttributeSpec } from '../support/build.ts';

const [height, width] = [13, 10];
const pair = (arbitrary: fc.Arbitrary<number>): fc.Arbitrary<number[]> =>
  fc.array(arbitrary, { minLength: 2, maxLength: 2 });
const pads = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 4, maxLength: 4 });

const windows = fc.record({
  op: fc.constantFrom('Conv', 'MaxPool', 'AveragePool'),
  // onnxruntime takes SAME only with strides up to the kernel.
  strides: pair(fc.integer({ min: 1, max: 2 })),
  pads,
  automatic: fc.constantFrom('NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
});
const step = fc.oneof(
  windows.map((spec) => ({ kind: 'window' as const, ...spec })),
  pads.map((sides) => ({ kind: 'pad' as const, sides })),
  fc.record({
    kind: fc.constant('slice' as const),
    starts: pair(fc.integer({ min: -4, max: 3 })),
    ends: pair(fc.constantFrom(-1, 9, 2 ** 40)),
    steps: pair(fc.integer({ min: 1, max: 3 })),
  }),
  fc.constantFrom('relu', 'add', 'concat').map((kind) => ({ kind })),
);

it('are the same, whatever stands before', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      const initializers: Record<string, ReturnType<typeof f32> | ReturnType<typeof i64>> = {
        w: f32(
          [2, 2, 2, 2],
          Array.from({ length: 16 }, () => 0.1),
        ),
        half: f32([], [0.5]),
      };
      let at = 'x';
      const nodes = steps.flatMap((spec, i) => {
        const [from, to] = [at, `t${i}`];
        at = to;
        if (spec.kind === 'relu') return [node('Relu', [from], [to])];
        if (spec.kind === 'add') return [node('Add', [from, 'half'], [`${to}h`]), node('Add', [`${to}h`, from], [to])];
        if (spec.kind === 'concat')
          return [
            node('Concat', [from, from], [`${to}c`], { axis: 1 }),
            // Back to two channels: the channels are not what is asked about.
            node('Slice', [`${to}c`, 'zero', 'two', 'one'], [to]),
          ];
        if (spec.kind === 'pad') {
          initializers[`p${i}`] = i64([0, 0, spec.sides[0]!, spec.sides[1]!, 0, 0, spec.sides[2]!, spec.sides[3]!]);
          return [node('Pad', [from, `p${i}`], [to])];
        }
        if (spec.kind === 'slice') {
          const { starts, ends, steps: by } = spec as { starts: number[]; ends: number[]; steps: number[] };
          Object.assign(initializers, {
            [`s${i}`]: i64(starts),
            [`e${i}`]: i64(ends),
            [`a${i}`]: i64([2, -1]),
            [`b${i}`]: i64(by),
          });
          return [node('Slice', [from, `s${i}`, `e${i}`, `a${i}`, `b${i}`], [to])];
        }
        const window = spec as { op: string; strides: number[]; pads: number[]; automatic: string };
        const attributes: Record<string, AttributeSpec> = {
          kernel_shape: [2, 2],
          strides: window.strides,
          ...(window.automatic === 'NOTSET' ? { pads: window.pads.map((pad) => Math.min(pad, 1)) } : {}),
          auto_pad: window.automatic,
        };
        return [node(window.op, window.op === 'Conv' ? [from, 'w'] : [from], [to], attributes)];
      });
      const model = buildModel({
        opset: 17,
        inputs: { x: ['n', 2, height, width] },
        initializers: { ...initializers, zero: i64([0]), one: i64([1]), two: i64([2]) },
        nodes,
        outputs: [at],
      });
      const planeOf = createPlanes();
      const planes = steps.map((_, index) => planeOf(model.graph.values.get(`t${index}`)!)!);
      // Nothing left of a plane, or a window larger than it: no model (onnxruntime aborts on some of them).
      fc.pre(planes.every((plane) => plane.every((size) => size > 0)));
      const session = await openSession(model, { level: 'disabled' });
      const data = new Float32Array(2 * height * width);
      const results = await session.run({ x: { type: 'float32', dims: [1, 2, height, width], data } });
      await session.dispose();
      expect(planes.at(-1)).toEqual(results[at]!.dims.slice(2));
    }),
    { numRuns: 60 },
  );
});

it('are not guessed', () => {
  const model = buildModel({
    inputs: { x: ['n', 2, 'h', 4], y: ['n', 2, 4, 4] },
    nodes: [
      node('Relu', ['x'], ['a']),
      node('Add', ['x', 'y'], ['b']),
      node('Resize', ['y'], ['c']),
      node('MaxPool', ['y'], ['d'], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
    ],
    outputs: ['a', 'b', 'c', 'd'],
  });
  const planeOf = createPlanes();
  for (const name of ['a', 'b', 'c', 'd']) expect(planeOf(model.graph.values.get(name)!), name).toBeUndefined();
});
