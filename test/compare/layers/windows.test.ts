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
    const tapped = tap(model, [h], [], new Map([['h', { elements, type: 'float32' }]]));
    const session = await openSession(tapped.model);
    for (const sample of [0, 1, 3]) {
      const results = await session.run({ x: { ...feeds(1).x, data: x }, ...tapped.windows(sample) });
      expect(tapped.parts(results, sample).get('h')).toEqual(
        windowsOf(elements, sample).map(([from, to]) => x.subarray(from, to)),
      );
    }
    // Of another size the windows would be elsewhere.
    await expect(session.run({ ...feeds(2), ...tapped.windows(0) })).rejects.toThrow(/./);
    await session.dispose();
  });

  it('of several tensors leave in one output of each type, each under its own name', async () => {
    const [h, y] = ['h', 'y'].map((name) => model.graph.values.get(name)!);
    const cut = { elements, type: 'float32' } as const;
    const tapped = tap(model, [h!, y!, h!], ['y'], new Map(Object.entries({ h: cut, y: cut })));
    const session = await openSession(tapped.model);
    // The state leaves whole, whatever is cut out of it.
    expect(session.outputs).toHaveLength(2);
    // The last turn ends with an empty window.
    for (const sample of [2, Math.ceil(elements / budget) - 1]) {
      const results = await session.run({ x: { ...feeds(1).x, data: x }, ...tapped.windows(sample) });
      const parts = tapped.parts(results, sample);
      for (const [name, whole] of Object.entries({ h: x, y: results['y']!.data as Float32Array }))
        expect(parts.get(name)).toEqual(windowsOf(elements, sample).map(([from, to]) => whole.subarray(from, to)));
    }
    await session.dispose();
  });

  it('need no cutting to tap a tensor whole', async () => {
    const h = model.graph.values.get('h')!;
    const tapped = tap(model, [h, h], []);
    const session = await openSession(tapped.model);
    expect((await session.run(feeds(2)))['h']!.data).toHaveLength(2 * elements);
    expect(tapped.parts({}, 5).size).toBe(0);
    expect(tapped.windows(5)).toEqual({});
    await session.dispose();
  });
});
