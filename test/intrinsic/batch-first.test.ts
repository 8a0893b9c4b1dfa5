/** Recurrent operators with the batch first, which onnxruntime cannot run, against their twins with the steps first, which it can. */
import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { turnBatchFirst } from '../../src/intrinsic/batch-first.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { buildModel, constant, f32, node, type ModelSpec } from '../support/build.ts';

const [steps, batch, features, hidden] = [4, 3, 5, 2];
const gates: Readonly<Record<string, number>> = { LSTM: 4, GRU: 3, RNN: 1 };

function recurrent(op: string, direction: string, layout: 0 | 1): ModelSpec {
  const ways = direction === 'bidirectional' ? 2 : 1;
  const rows = gates[op]! * hidden;
  const lstm = op === 'LSTM';
  const first = (a: number, b: number, ...rest: number[]): number[] => (layout ? [b, a, ...rest] : [a, b, ...rest]);
  const states = lstm ? ['h', 'c'] : ['h'];
  const outputs = ['y', 'yh', ...(lstm ? ['yc'] : [])];
  return {
    inputs: {
      x: first(steps, batch, features),
      ...Object.fromEntries(states.map((name) => [name, first(ways, batch, hidden)])),
    },
    outputs,
    initializers: {
      ...{ w: f32([ways, rows, features]), r: f32([ways, rows, hidden]) },
      lengths: constant('int32', [batch], [4, 2, 3]),
    },
    nodes: [node(op, ['x', 'w', 'r', '', 'lengths', ...states], outputs, { hidden_size: hidden, direction, layout })],
  };
}

type Tensors = Record<string, TensorValue>;

/** With its axes in the order `perm`. */
function permuted({ type, dims, data }: TensorValue, perm: readonly number[]): TensorValue {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((a, b) => a * b, 1));
  const shape = perm.map((axis) => dims[axis]!);
  const result = Float32Array.from(data as Float32Array);
  for (let to = 0; to < result.length; to++) {
    let [rest, from] = [to, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += (rest % shape[axis]!) * strides[perm[axis]!]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    result[to] = Number(data[from]);
  }
  return { type, dims: shape, data: result };
}

async function run(model: Model, feeds: Tensors): Promise<{ outputs: Tensors; turned: readonly string[] | undefined }> {
  const session = await openSession(model);
  try {
    return { outputs: await session.run(feeds), turned: session.turned };
  } finally {
    await session.dispose();
  }
}

describe('batch first', () => {
  for (const op of Object.keys(gates)) {
    it.each(['forward', 'reverse', 'bidirectional'])(`${op} %s`, async (direction) => {
      const spec = recurrent(op, direction, 1);
      const model = buildModel(spec);
      expect(turnBatchFirst(model)).toEqual(['n_y']);
      checkModel(model);
      expect([...model.allNodes()].find((each) => each.is(op))!.int('layout', 0)).toBe(0);
      const feeds: Tensors = Object.fromEntries(
        Object.entries(spec.inputs!).map(([name, dims]) => [
          name,
          constant('float32', dims as number[]) as TensorValue,
        ]),
      );
      const swapped = Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, permuted(x, [1, 0, 2])]));
      const twin = await run(buildModel(recurrent(op, direction, 0)), swapped);
      const expected = Object.fromEntries(
        Object.entries(twin.outputs).map(([name, y]) => [name, permuted(y, name === 'y' ? [2, 0, 1, 3] : [1, 0, 2])]),
      );
      expect((await run(model, feeds)).outputs).toEqual(expected);
      // As users give it, a session opens it in that form.
      const opened = await run(buildModel(spec), feeds);
      expect(opened).toEqual({ outputs: expected, turned: ['n_y'] });
      expect(twin.turned).toBeUndefined();
    });
  }

  it('leaves what has the steps first', () => {
    expect(turnBatchFirst(buildModel(recurrent('GRU', 'forward', 0)))).toEqual([]);
  });
});
