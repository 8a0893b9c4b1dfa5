/** Counts by WebAssembly SIMD equal those of its scalar twin and those by hand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Counter, mostCounted, pageBins, pagesEach, partsOf } from '../../../src/calibrate/kernels/counter.ts';

const counters = { simd: new Counter('simd'), scalar: new Counter('scalar') };

/** Any bits at all, and values that have many of them alike: zeros of either sign, infinities, NaN, subnormal numbers. */
const bits = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffffffff, 1, 0x807fffff, 0x3f800000),
);

/** Counts by page and bin, drained to an address that every call finds empty. */
function count(counter: Counter, values: Float32Array): Map<number, number[]> {
  counter.count(counter.locate(values));
  const counts = new Map<number, number[]>();
  for (const page of counter.pagesOf(values)) {
    const address = counter.allocate(8 * pageBins);
    const drained = counter.drain(page, address);
    const found = [...new Float64Array(counter.buffer, address, pageBins)];
    expect(found.reduce((sum, each) => sum + each, 0)).toBe(drained);
    // Nothing is left.
    expect(counter.drain(page, address)).toBe(0);
    counts.set(page, found);
  }
  return counts;
}

describe('counters', () => {
  it('count the same with SIMD, without, and by hand: any bits, any length, in their memory or out of it', () => {
    fc.assert(
      fc.property(
        fc.array(bits, { maxLength: 70 }),
        fc.boolean(),
        fc.integer({ min: 0, max: 3 }),
        (words, inside, skip) => {
          const expected = new Map<number, number[]>();
          for (const word of words) {
            const page = word >>> 23;
            if (!expected.has(page))
              expected.set(
                page,
                Array.from({ length: pageBins }, () => 0),
              );
            expected.get(page)![(word >>> 15) % pageBins]!++;
          }
          for (const counter of Object.values(counters)) {
            // Inside, at an address that only 4 divides.
            const address = counter.allocate(4 * (words.length + skip)) + 4 * skip;
            const buffer = inside ? counter.buffer : new ArrayBuffer(4 * words.length);
            const values = new Float32Array(buffer, inside ? address : 0, words.length);
            new Uint32Array(values.buffer, values.byteOffset, words.length).set(words);
            expect(count(counter, values)).toEqual(expected);
          }
        },
      ),
    );
  });

  it('count as many alike as they say, and hand more in parts', () => {
    for (const length of [mostCounted, mostCounted - 1, mostCounted - 3]) {
      for (const counter of Object.values(counters))
        expect(count(counter, new Float32Array(length)).get(0)![0]).toBe(length);
    }
    const parts = [...partsOf({ address: 64, length: 2 * mostCounted + 5 })];
    expect(parts.map((part) => part.length)).toEqual([mostCounted, mostCounted, 5]);
    expect(parts.map((part) => 'address' in part && part.address)).toEqual(
      [0, 1, 2].map((i) => 64 + 4 * i * mostCounted),
    );
    const values = Float32Array.from({ length: mostCounted + 2 }, (_, i) => i);
    expect([...partsOf(values)].map((part) => [part.length, part instanceof Float32Array && part[0]])).toEqual([
      [mostCounted, 0],
      [2, mostCounted],
    ]);
  });

  it('count more than fits a block, and more than 2^16 alike', () => {
    const values = Float32Array.from({ length: 200_001 }, (_, i) => (i % 3 === 0 ? 0 : i));
    const [a, b] = [count(counters.simd, values), count(counters.scalar, values)];
    expect(a).toEqual(b);
    expect(a.get(0)![0]).toBe(66_667);
    expect([...a.values()].flat().reduce((sum, each) => sum + each, 0)).toBe(200_001);
  });

  it('add to what is there, beyond 2^32', () => {
    const counter = new Counter();
    const address = counter.allocate(8 * pageBins);
    new Float64Array(counter.buffer, address, 1)[0] = 2 ** 40;
    counter.count(new Float32Array(5));
    expect(counter.drain(0, address)).toBe(5);
    expect(new Float64Array(counter.buffer, address, 1)[0]).toBe(2 ** 40 + 5);
  });

  it('keep their content and places as they grow, and say when they cannot', () => {
    const counter = new Counter();
    const address = counter.allocate(400);
    const values = new Float32Array(counter.buffer, address, 100).fill(1);
    const place = counter.locate(values);
    counter.allocate(2 ** 24);
    expect(values).toHaveLength(0);
    counter.count(place);
    expect(counter.drain(127, counter.allocate(8 * pageBins))).toBe(100);
    expect(() => counter.allocate(2 ** 32)).toThrow(RangeError);
    expect(pagesEach * pageBins).toBe(2 ** 17);
  });

  it('find the same extremes with SIMD, without, and by hand: any bits, any lists, in their memory or out of it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 70 }),
        fc.array(bits, { minLength: 210, maxLength: 210 }),
        fc.boolean(),
        (lists, length, words, inside) => {
          const content = Float32Array.from(Uint32Array.from(words.slice(0, lists * length)), (_, i) => i);
          new Uint32Array(content.buffer).set(words.slice(0, content.length));
          for (const counter of Object.values(counters)) {
            const address = counter.allocate(content.byteLength);
            const values = inside ? new Float32Array(counter.buffer, address, content.length) : content;
            values.set(content);
            const found = counter.extremes(values, lists);
            for (let list = 0; list < lists; list++) {
              const [low, high] = [
                found.subarray(32 * list, 32 * list + 16),
                found.subarray(32 * list + 16, 32 * list + 32),
              ];
              const own = content.subarray(list * length, (list + 1) * length);
              const series = Array.from({ length: 16 }, (_, i) => own.filter((__, at) => at % 16 === i));
              if (own.some(Number.isNaN)) {
                expect([...low].some(Number.isNaN) && [...high].some(Number.isNaN)).toBe(true);
                continue;
              }
              // 0 and -0 are the same here.
              expect(Array.from(low, (each) => each + 0)).toEqual(series.map((each) => Math.min(...each) + 0));
              expect(Array.from(high, (each) => each + 0)).toEqual(series.map((each) => Math.max(...each) + 0));
            }
          }
        },
      ),
    );
  });

  it('find the extremes of more lists than have a place, and of lists longer than a block, moving nothing', () => {
    for (const kernels of ['simd', 'scalar'] as const) {
      const counter = new Counter(kernels);
      const elsewhere = Float32Array.from({ length: 4000 }, (_, i) => i);
      counter.extremes(elsewhere, 1);
      // Allocating may put another memory in its place.
      const address = counter.allocate(elsewhere.byteLength);
      const inside = new Float32Array(counter.buffer, address, 4000);
      inside.set(elsewhere);
      for (const values of [inside, elsewhere]) {
        const found = counter.extremes(values, 200);
        expect(Array.from({ length: 200 }, (_, list) => found[32 * list])).toEqual(
          Array.from({ length: 200 }, (_, list) => 20 * list),
        );
        expect(found[32 * 199 + 16 + 3]).toBe(3999);
      }
      expect(inside).toHaveLength(4000);
      const long = Float32Array.from({ length: 100_001 }, (_, i) => (i === 70_007 ? 5 : i === 99_999 ? -5 : 0));
      const found = counter.extremes(long, 1);
      expect([Math.min(...found.subarray(0, 16)), Math.max(...found.subarray(16, 32))]).toEqual([-5, 5]);
      expect(found[16 + (70_007 % 16)]).toBe(5);
    }
  });
});
