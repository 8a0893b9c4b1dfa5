/** Sampled elements against the fetched tensor, by their positions. */
import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { sampleElements } from '../../src/calibrate/sample.ts';
import { copyModel, setOutputs } from '../../src/calibrate/probe.ts';
import { buildModel, node } from '../support/build.ts';
import { floats } from './samples.ts';

/** Positions of the elements taken of one row of a tensor whose elements are their own positions. */
async function positions(dims: readonly number[], opset: number, all = false): Promise<number[]> {
  const plain = buildModel({
    opset,
    inputs: { x: ['n', ...dims.slice(1)] },
    nodes: [node('Neg', ['x'], ['y'])],
    outputs: ['y'],
  });
  const model = copyModel(plain);
  const sample = sampleElements(model.graph.values.get('y')!, dims, all);
  setOutputs(model.graph, [sample]);
  const session = await openSession(model);
  try {
    const result = (await session.run({ x: floats(dims, (i) => -i) }))[sample.name]!;
    expect(result.dims[0]).toBe(dims[0]);
    return Array.from(result.data as Float32Array);
  } finally {
    await session.dispose();
  }
}

describe.each([9, 21])('sampleElements, operator set %i', (opset) => {
  it('takes everything of a small tensor, and of any when asked', async () => {
    expect(await positions([2, 3, 4], opset)).toEqual(Array.from({ length: 24 }, (_, i) => i));
    expect(await positions([1, 60_000], opset, true)).toHaveLength(60_000);
    expect(await positions([5], opset)).toHaveLength(5);
  });

  it('takes rows and columns of images at the least stride that fits', async () => {
    // 4 x 81 x 81 is too much; a stride of 2 leaves 4 x 41 x 41.
    const taken = await positions([2, 4, 81, 81], opset);
    const expected: number[] = [];
    for (let plane = 0; plane < 8; plane++)
      for (let y = 0; y < 81; y += 2) for (let x = 0; x < 81; x += 2) expected.push((plane * 81 + y) * 81 + x);
    expect(taken).toEqual(expected);
  });

  it('takes other ranks evenly, and every position of the last dimension', async () => {
    // 24,576 elements: every second would miss half of the 768 channels, so every fifth it is: neither 2, 3 nor 4 will do.
    const taken = await positions([1, 32, 768], opset);
    expect(taken.slice(0, 3)).toEqual([0, 5, 10]);
    expect(new Set(taken.map((position) => position % 768)).size).toBe(768);
    expect(taken).toHaveLength(Math.ceil(24_576 / 5));
  });
});
