/** Elements in the accumulator's memory are those that land anywhere, whatever becomes of shapes and memory. */
import { describe, expect, it } from 'vitest';
import { openSession, type Session } from '../../src/backends/session.ts';
import { Counter } from '../../src/calibrate/kernels/counter.ts';
import { PreallocatedOutputs } from '../../src/calibrate/preallocated-outputs.ts';
import { observers } from '../../src/calibrate/observers/index.ts';
import type { ElementMemory } from '../../src/calibrate/observers/observer.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { buildModel, node, scalar } from '../support/build.ts';
import { floats } from './samples.ts';

const negation = buildModel({
  inputs: { x: ['n', 3] },
  nodes: [node('Neg', ['x'], ['y']), node('Abs', ['x'], ['z'])],
  outputs: ['y', 'z'],
});

async function runs(
  memory: ElementMemory | undefined,
  feeds: readonly TensorValue[],
  model = negation,
  watch?: () => void,
) {
  const session: Session = await openSession(model);
  const strip = new PreallocatedOutputs(memory);
  const found: { values: number[]; inside: boolean }[] = [];
  for (const x of feeds) {
    const { data, dims } = (await strip.run(session, { x }))['y']!;
    expect(dims[0]).toBe(data.length / (dims[1] ?? 1));
    found.push({ values: Array.from(data, Number), inside: data.buffer === memory?.buffer });
    watch?.();
  }
  await session.dispose();
  return found;
}

const rows = (count: number, shift: number): TensorValue => floats([count, 3], (i) => i + shift);

describe('PreallocatedOutputs', () => {
  it.each(observers)('has a memory to land in where elements are read: $id', ({ elements, start }) => {
    expect(start(1, {}).memory !== undefined).toBe(elements);
  });

  it('lands in the memory from the second run on, elsewhere when the inputs have other shapes', async () => {
    const feeds = [rows(2, 0), rows(2, 10), rows(1, 20), rows(2, 30)];
    const found = await runs(new Counter(), feeds);
    expect(found.map(({ inside }) => inside)).toEqual([false, true, false, true]);
    expect(found.map(({ values }) => values)).toEqual(
      feeds.map(({ data }) => Array.from(data as Float32Array, (value) => -value)),
    );
  });

  it('leaves alone what someone holds on to', async () => {
    const session = await openSession(negation);
    const counter = new Counter();
    const strip = new PreallocatedOutputs(counter);
    const found: TensorValue[] = [];
    for (const shift of [0, 10, 20]) {
      const { y, z } = await strip.run(session, { x: rows(1, shift) }, ['z']);
      expect(y!.data.buffer === counter.buffer).toBe(shift > 0);
      found.push(z!);
    }
    await session.dispose();
    expect(found.map(({ data }) => data[0])).toEqual([0, 10, 20]);
  });

  it('goes without once a run leaves a place as it was', async () => {
    const counter = new Counter();
    const session = await openSession(negation);
    const forgetful: Session = {
      ...session,
      run: async (feeds, fetch, into) => (into ? into : session.run(feeds, fetch)),
    };
    const strip = new PreallocatedOutputs(counter);
    for (const shift of [1, 10, 20]) {
      const { y } = await strip.run(forgetful, { x: rows(1, shift) });
      expect([...y!.data].map(Number)).toEqual([-shift, -shift - 1, -shift - 2]);
      expect(y!.data.buffer).not.toBe(counter.buffer);
    }
    await session.dispose();
  });

  it.each([new Counter(), undefined])('gives back what did not land, once it is much: %o', async (memory) => {
    const session = await openSession(negation);
    const strip = new PreallocatedOutputs(memory);
    const results: Readonly<Record<string, TensorValue>>[] = [];
    const many = 2 ** 18;
    for (const count of [1, many, many + 1, 1]) results.push(await strip.run(session, { x: rows(count, 0) }, ['z']));
    expect(results.map(({ y }) => y!.data.length)).toEqual([0, 0, 0, 3]);
    expect(results.map(({ z }) => z!.data.length)).toEqual([3, 3 * many, 3 * many + 3, 3]);
    await session.dispose();
  });

  it('finds its places again after the memory has grown', async () => {
    const counter = new Counter();
    const found = await runs(counter, [rows(1, 1), rows(1, 2), rows(1, 3)], negation, () => counter.allocate(2 ** 22));
    expect(found.map(({ values }) => values[0])).toEqual([-1, -2, -3]);
    expect(found.map(({ inside }) => inside)).toEqual([false, true, true]);
  });

  it('goes without where shapes depend on the data, where there is no room and where none is wanted', async () => {
    const positive = buildModel({
      inputs: { x: ['n'] },
      initializers: { zero: scalar('float32', 0) },
      nodes: [node('Greater', ['x', 'zero'], ['p']), node('Compress', ['x', 'p'], ['y'])],
      outputs: ['y'],
    });
    const feeds = [floats([3], (i) => i), floats([3], (i) => i + 1), floats([3], (i) => i)];
    const found = await runs(new Counter(), feeds, positive);
    expect(found.map(({ values }) => values)).toEqual([
      [1, 2],
      [1, 2, 3],
      [1, 2],
    ]);
    const full: ElementMemory = {
      buffer: new ArrayBuffer(0),
      allocate: () => {
        throw new RangeError('full');
      },
      extremes: () => new Float32Array(),
    };
    for (const memory of [full, undefined])
      expect((await runs(memory, [rows(1, 1), rows(1, 5)])).map(({ values }) => values[0])).toEqual([-1, -5]);
  });
});
