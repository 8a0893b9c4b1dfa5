/** Sampled elements against the fetched tensor, by their positions. */
import { describe, expect, it } from 'vitest';
import { openSession, type Session } from '../../src/backends/session.ts';
import { hashOf, phasesOf, budget, strideOf } from '../../src/calibrate/element-positions.ts';
import { setOutputs } from '../../src/calibrate/graph-outputs.ts';
import { copyModel } from '../../src/graph/from-proto.ts';
import { Sampler, type Shapes } from '../../src/calibrate/element-sampler.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { buildModel, node } from '../support/build.ts';
import { floats } from './samples.ts';

const alone: Shapes = { samples: 1, open: false };

/** Takes samples of a tensor whose elements are their own positions. */
async function sampler(
  dims: readonly number[],
  { opset = 21, shapes = alone, blocked = false }: { opset?: number; shapes?: Shapes; blocked?: boolean } = {},
) {
  const plain = buildModel({
    opset,
    inputs: { x: dims.map((_, axis) => `d${axis}`) },
    nodes: [node('Neg', ['x'], ['y'])],
    outputs: ['y'],
  });
  const model = copyModel(plain);
  const made = new Sampler(model.graph, opset, shapes);
  const { value, stride } = made.take(model.graph.values.get('y')!, dims, blocked);
  setOutputs(model.graph, [value, ...(typeof stride === 'number' ? [] : [stride])]);
  const session: Session = await openSession(model);
  const x = floats(dims, (i) => -i);
  const run = async (ids: readonly string[] | number, size = dims) => {
    const feeds: Record<string, TensorValue> = { x: size === dims ? x : floats(size, (i) => -i) };
    if (made.phase !== undefined)
      feeds[made.phase] =
        typeof ids === 'number'
          ? { type: 'int64', dims: [1], data: BigInt64Array.of(BigInt(ids)) }
          : phasesOf(ids, shapes.samples);
    const results = await session.run(feeds);
    const told = typeof stride === 'number' ? stride : Number(results[stride.name]!.data[0]);
    const { dims: taken, data } = results[value.name]!;
    return { taken, positions: Array.from(data as Float32Array), stride: told };
  };
  return { run, dispose: () => session.dispose() };
}

/** Along each axis, whether every index is among the positions. */
function allVisited(positions: readonly number[], dims: readonly number[]): boolean[] {
  return dims.map((dim, axis) => {
    const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    return new Set(positions.map((position) => Math.floor(position / inner) % dim)).size === dim;
  });
}

describe('strideOf', () => {
  it('is the least prime that fits the budget and divides no dimension', () => {
    expect([1, budget].map(strideOf)).toEqual([1, 1]);
    expect(strideOf(budget + 1)).toBe(2);
    // 24,576 elements: neither 2 nor 3 will do.
    expect(strideOf(32 * 768)).toBe(5);
    expect(strideOf(budget * 100)).toBe(101);
    // Far more than can be wanted.
    expect(strideOf(2 ** 40)).toBe(4099);
  });
});

describe('Sampler', () => {
  it.each([9, 10, 21])('takes everything of a small tensor, operator set %i', async (opset) => {
    for (const dims of [[2, 3, 4], [5], [1, budget]]) {
      const { run, dispose } = await sampler(dims, { opset });
      const { positions, stride } = await run(['a']);
      expect(positions).toEqual(Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => i));
      expect(stride).toBe(1);
      await dispose();
    }
  });

  it('takes everything where the operator set has no Slice with a stride', async () => {
    const { run, dispose } = await sampler([1, 60_000], { opset: 9 });
    expect((await run(['a'])).positions).toHaveLength(60_000);
    await dispose();
  });

  it.each([
    ['NCHW', [1, 48, 31, 31]],
    ['NHWC', [1, 31, 31, 48]],
    ['heads', [1, 6, 97, 64]],
    ['tokens', [1, 61, 768]],
    ['signal', [1, 96, 400]],
    ['volume', [1, 16, 9, 14, 14]],
    ['windows', [16, 49, 96]],
    ['rows', [49, 768]],
  ])('visits every index of every axis in each sample, and in time every element: %s', async (_, dims) => {
    const elements = dims.reduce((a, b) => a * b);
    const most = strideOf(elements);
    for (const open of [false, true]) {
      const { run, dispose } = await sampler(dims, { shapes: { samples: 1, open } });
      const seen = new Uint32Array(elements);
      for (let phase = 0; phase < 2 * most; phase++) {
        const { positions, stride, taken } = await run(phase);
        expect(stride).toBe(most);
        expect(taken).toEqual([1, Math.floor(elements / stride)]);
        for (const position of positions) seen[position]!++;
        if (phase < 2) expect(allVisited(positions, dims)).toEqual(dims.map(() => true));
      }
      // From both ends alike: but for the outermost elements each is taken twice.
      expect(seen.filter((times) => times !== 2).length).toBeLessThan(2 * most);
      expect(seen.includes(0)).toBe(false);
      await dispose();
    }
  });

  it('takes the same elements for the same id, and others for another', async () => {
    const { run, dispose } = await sampler([1, 61, 768]);
    const [first, again] = [await run(['a']), await run(['a'])];
    expect(again).toEqual(first);
    const others = await Promise.all(['b', 'c', 'd', 'e', 'f', 'g'].map(async (id) => (await run([id])).positions[0]));
    expect(new Set(others).size).toBeGreaterThan(2);
    await dispose();
  });

  it('works the stride out where shapes are open, whatever the first one was', async () => {
    const { run, dispose } = await sampler([1, 4, 768], { shapes: { samples: 1, open: true } });
    for (const tokens of [1, 16, 17, 100, 333]) {
      const { positions, stride } = await run(['a'], [1, tokens, 768]);
      expect(stride).toBe(strideOf(tokens * 768));
      expect(positions).toHaveLength(Math.floor((tokens * 768) / stride));
      expect(new Set(positions).size).toBe(positions.length);
    }
    await dispose();
  });

  it('takes the rows of a run as if each ran alone', async () => {
    const dims = [1, 61, 768];
    const single = await sampler(dims);
    const size = 61 * 768;
    for (const open of [false, true]) {
      const three = await sampler([3, 61, 768], { shapes: { samples: 3, open } });
      const names = ['x', 'y', 'z'];
      const { positions, taken } = await three.run(names);
      expect(taken[0]).toBe(3);
      for (const [row, id] of names.entries()) {
        const own = (await single.run([id])).positions.sort((a, b) => a - b);
        const part = positions.slice(row * taken[1]!, (row + 1) * taken[1]!).map((position) => position - row * size);
        expect(part.sort((a, b) => a - b)).toEqual(own);
      }
      await three.dispose();
    }
    await single.dispose();
  });

  it('pools the image of a convolution first: all channels, rows and columns at a stride', async () => {
    const dims = [1, 64, 56, 56];
    const { run, dispose } = await sampler(dims, { blocked: true });
    const { positions, stride } = await run(['a']);
    expect(allVisited(positions, dims)[1]).toBe(true);
    // A stride of 3 leaves 64 x 19 x 19 of them, of which every second is taken.
    const step = 3;
    expect(stride).toBe(step * step * 3);
    expect(positions.every((at) => (at % 56) % step === 0 && (Math.floor(at / 56) % 56) % step === 0)).toBe(true);
    expect(positions.length * stride).toBeGreaterThan(0.9 * dims.reduce((a, b) => a * b));
    await dispose();
  });
});

describe('phasesOf', () => {
  it('follows from the ids, and fills up with the last', () => {
    const [short, whole] = [phasesOf(['a', 'b'], 3), phasesOf(['a', 'b', 'b'], 3)];
    expect(short).toEqual(whole);
    expect(short.dims).toEqual([3, 1]);
    expect(phasesOf(['a'], 1).data[0]).toBe(short.data[0]);
  });

  it('spreads ids that hardly differ', () => {
    for (const stride of [2, 3, 5, 7, 61]) {
      const counts = new Uint32Array(2 * stride);
      for (let i = 0; i < 2000; i++) {
        const phase = Number(phasesOf([`row#${i}`], 1).data[0]);
        counts[(Math.floor(phase / 2) % stride) * 2 + (phase % 2)]!++;
      }
      const even = 2000 / counts.length;
      expect(Math.min(...counts)).toBeGreaterThan(even - 5 * Math.sqrt(even));
      expect(Math.max(...counts)).toBeLessThan(even + 5 * Math.sqrt(even));
    }
    expect(hashOf('')).toBe(0x811c9dc5);
  });
});
