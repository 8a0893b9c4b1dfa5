/** Outputs are written where they are wanted, and no copy of them comes back. */
import { describe, expect, it, vi } from 'vitest';
import { release, appendEndMark } from '../../src/backends/output-memory.ts';
import * as releasing from '../../src/backends/output-memory.ts';
import { openSession } from '../../src/backends/session.ts';
import { setOutputs } from '../../src/calibrate/graph-outputs.ts';
import { copyModel } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { buildModel, node } from '../support/build.ts';

const negation = (opset: number): Model =>
  buildModel({
    opset,
    inputs: { x: [2, 3] },
    nodes: [node('Neg', ['x'], ['y']), node('Abs', ['x'], ['z'])],
    outputs: ['y', 'z'],
  });

function marked(opset = 17): Model {
  const copy = copyModel(negation(opset));
  setOutputs(copy.graph, [appendEndMark(copy)!, ...copy.graph.outputs]);
  return copy;
}

const six = (start: number): TensorValue => ({
  type: 'float32',
  dims: [2, 3],
  data: Float32Array.from({ length: 6 }, (_, i) => start + i),
});

describe('appendEndMark', () => {
  it.each(['disabled', 'all'] as const)('ends a run when all is written, level %s', async (level) => {
    const session = await openSession(marked(), { level });
    expect(session.outputs.map(({ name }) => name)).toEqual(['y', 'z']);
    const into = { y: six(0), z: six(0) };
    const results = await session.run({ x: six(1) }, undefined, into);
    expect(results).toEqual({ y: into.y, z: into.z });
    expect([...into.y.data]).toEqual([-1, -2, -3, -4, -5, -6]);
    expect([...into.z.data]).toEqual([1, 2, 3, 4, 5, 6]);
    // Where arrays are missing, results are returned as ever.
    for (const each of [
      await session.run({ x: six(1) }),
      await session.run({ x: six(1) }, ['y', 'z'], { y: six(0) }),
    ]) {
      expect([...each['y']!.data]).toEqual([-1, -2, -3, -4, -5, -6]);
      expect([...each['z']!.data]).toEqual([1, 2, 3, 4, 5, 6]);
    }
    await session.dispose();
  });

  it('saves the copies, of which there is none to give back', async () => {
    const copies = vi.spyOn(releasing, 'release');
    for (const [model, made] of [
      [marked(), 0],
      [negation(17), 1],
    ] as const) {
      const session = await openSession(model);
      copies.mockClear();
      await session.run({ x: six(1) }, undefined, { y: six(0), z: six(0) });
      expect(copies).toHaveBeenCalledTimes(made);
      await session.dispose();
    }
    copies.mockRestore();
  });

  it('hides no error of the run', async () => {
    const session = await openSession(marked(), {}, 'a marked model');
    const wrong: TensorValue = { type: 'float32', dims: [3, 2], data: new Float32Array(6) };
    const run = session.run({ x: six(1) }, undefined, { y: wrong, z: six(0) });
    await expect(run).rejects.toMatchObject({ code: 'BACKEND_RUN' });
    await session.dispose();
  });

  it('is not made where the operator set has no sequences', () => {
    expect(appendEndMark(negation(10))).toBeUndefined();
  });
});

const length = 2 ** 20;
const relu = buildModel({
  inputs: { x: [length] },
  nodes: [node('Relu', ['x'], ['y'])],
  outputs: { y: [length] },
});

describe('release', () => {
  it('empties what onnxruntime returned at once, and lets it go on', async () => {
    const session = await openSession(relu);
    const x = { type: 'float32' as const, dims: [length], data: new Float32Array(length).fill(3) };
    const before = process.memoryUsage().arrayBuffers;
    for (let run = 0; run < 20; run++) {
      const results = await session.run({ x });
      expect(results['y']!.data[length - 1]).toBe(3);
      release(Object.values(results));
      expect(results['y']!.data).toHaveLength(0);
    }
    await session.dispose();
    // Twenty results of 4 MB each, of which none is left, collected or not.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * length);
    expect(x.data[0]).toBe(3);
  });

  it('takes tensors that share a buffer, and none', () => {
    const { buffer } = new Float32Array(8);
    const part = (from: number) => ({ type: 'float32' as const, dims: [4], data: new Float32Array(buffer, from, 4) });
    const parts = [part(0), part(16)];
    release(parts);
    expect(parts.map(({ data }) => data.length)).toEqual([0, 0]);
    release([]);
  });
});
