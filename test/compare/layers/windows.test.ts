import { describe, expect, it } from 'vitest';
import { openSession } from '../../../src/backends/session.ts';
import { budget, tap, windowsOf } from '../../../src/compare/layers/windows.ts';
import { buildModel, node } from '../../support/build.ts';

const [channels, side] = [5, 100];
const elements = channels * side * side;
const model = buildModel({
  inputs: { x: ['n', channels, side, side] },
  nodes: [node('Relu', ['x'], ['h']), node('Sigmoid', ['h'], ['y'])],
  outputs: { y: ['n', channels, side, side] },
});
const x = Float32Array.from({ length: elements }, (_, i) => i);
const feeds = (rows: number) => ({
  x: { type: 'float32' as const, dims: [rows, channels, side, side], data: new Float32Array(rows * elements) },
});

describe('the windows of a large tensor', () => {
  it('all have their turn, and nothing is left out of a small one', () => {
    expect(windowsOf(budget, 3)).toEqual([[0, budget]]);
    const seen = new Uint8Array(elements);
    const turns = Math.ceil(elements / budget);
    for (let sample = 7; sample < 7 + turns; sample++)
      for (const [from, to] of windowsOf(elements, sample)) seen.fill(1, from, to);
    expect(elements).toBeGreaterThan(budget);
    expect(seen.every((each) => each === 1)).toBe(true);
  });

  it('come out of the graph as they stand in the tensor', async () => {
    const h = model.graph.values.get('h')!;
    const tapped = tap(model, [h], [], new Map([['h', elements]]));
    const session = await openSession(tapped.model);
    for (const sample of [0, 1, 3]) {
      const results = await session.run({ x: { ...feeds(1).x, data: x }, ...tapped.windows(sample) });
      expect(tapped.parts(results, h)).toEqual(windowsOf(elements, sample).map(([from, to]) => x.subarray(from, to)));
    }
    // Of another size the windows would be elsewhere.
    await expect(session.run({ ...feeds(2), ...tapped.windows(0) })).rejects.toThrow(/./);
    await session.dispose();
  });

  it('need no cutting to tap a tensor whole', async () => {
    const h = model.graph.values.get('h')!;
    const tapped = tap(model, [h, h], []);
    const session = await openSession(tapped.model);
    expect(tapped.parts(await session.run(feeds(2)), h)[0]).toHaveLength(2 * elements);
    expect(tapped.windows(5)).toEqual({});
    await session.dispose();
  });
});
