import { describe, expect, it } from 'vitest';
import { traceShapes, traceTensors } from '../../src/calibrate/shapes.ts';
import { body, buildModel, f32, i64, node, scalar } from '../support/build.ts';
import { floats } from './samples.ts';

describe('traceShapes', () => {
  it('finds shapes that only a run can tell', async () => {
    const model = buildModel({
      inputs: { x: ['n', 3] },
      initializers: { zero: scalar('float32', 0), minus: i64([-1]) },
      nodes: [
        node('Greater', ['x', 'zero'], ['positive']),
        node('NonZero', ['positive'], ['where']),
        node('Transpose', ['where'], ['rows']),
        node('ReduceSum', ['x'], ['total'], { keepdims: 0 }),
        node('Relu', ['total'], ['y']),
      ],
      outputs: ['rows', 'y'],
    });
    const feeds = { x: floats([2, 3], (i) => i - 2) };
    const shapes = await traceShapes(model, feeds, ['x', 'rows', 'total', 'where']);
    expect([...shapes]).toEqual([
      ['x', [2, 3]],
      ['rows', [3, 2]],
      ['total', []],
      ['where', [2, 3]],
    ]);
  });

  it('finds the types too, whatever they are, also of empty tensors and scalars, in old and new operator sets', async () => {
    for (const opset of [7, 9, 13, 21]) {
      const model = buildModel({
        opset,
        inputs: { x: { type: 'float64', dims: [0, 2] }, s: [] },
        nodes: [
          node('Cast', ['x'], ['half'], { to: 10 }),
          node('Cast', ['x'], ['flag'], { to: 9 }),
          node('Identity', ['s'], ['scalar']),
        ],
        outputs: ['half', 'flag', 'scalar'],
      });
      const feeds = { x: { type: 'float64', dims: [0, 2], data: new Float64Array() }, s: floats([], () => 1) } as const;
      const traced = await traceTensors(model, feeds, ['x', 'half', 'flag', 'scalar']);
      expect(Object.fromEntries(traced)).toEqual({
        x: { type: 'float64', dims: [0, 2] },
        half: { type: 'float16', dims: [0, 2] },
        flag: { type: 'bool', dims: [0, 2] },
        scalar: { type: 'float32', dims: [] },
      });
    }
  });

  it('names what it cannot trace', async () => {
    const model = buildModel({
      inputs: { x: [1] },
      initializers: { w: f32([1]), yes: scalar('bool', 1) },
      nodes: [
        node('Add', ['x', 'w'], ['sum']),
        node('If', ['yes'], ['y'], {
          then_branch: body({ nodes: [node('Relu', ['sum'], ['inner'])], outputs: ['inner'] }),
          else_branch: body({ nodes: [node('Abs', ['sum'], ['other'])], outputs: ['other'] }),
        }),
      ],
      outputs: ['y'],
    });
    const trace = (name: string) => traceShapes(model, { x: floats([1], () => 1) }, [name]);
    await expect(trace('sun')).rejects.toMatchObject({ code: 'CALIBRATE_UNKNOWN_TENSOR', hint: "did you mean 'sum'?" });
    await expect(trace('inner')).rejects.toMatchObject({ code: 'CALIBRATE_BODY_TENSOR' });
    await expect(trace('w')).rejects.toMatchObject({ code: 'CALIBRATE_CONSTANT' });
  });
});
