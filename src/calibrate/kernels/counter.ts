/**
 * Counts floats by their leading bits, and finds the smallest and the largest (count.wat), in a WebAssembly memory of its own.
 * onnxruntime can write the elements of tensors straight into that memory, where they are read in place; others are copied there,
 * block by block.
 */
import wasm from './count.wasm.ts';

/** Bits that a bin does not look at, and bits of mantissa. */
const mantissaShift = 15;
const exponentShift = 23;
/** Bins of one page: 256 steps of mantissa under one sign and exponent. */
export const pageBins = 1 << (exponentShift - mantissaShift);
/** Signs times exponents. */
export const pagesEach = 512;

/** Counters of each bin, uint16; see count.wat. */
const lanes = 4;
const tableEnd = Uint16Array.BYTES_PER_ELEMENT * lanes * pagesEach * pageBins;
/** Floats that may be counted between two drains: all of them may be alike. */
export const mostCounted = lanes * 0xffff;
const blockLength = 1 << 14;
/** Extremes are told apart by place modulo this. */
export const series = 16;
const listFloats = 2 * series;
const listBytes = listFloats * Float32Array.BYTES_PER_ELEMENT;
/** Lists whose extremes have a place at a time; there is one more, for a part of one. */
const listsAtOnce = 64;
const free = tableEnd + listBytes * (listsAtOnce + 1);
const memoryPage = 1 << 16;

/** What the kernels can be asked for; addresses are bytes in the counter's memory. */
interface Kernels {
  /** Counts `length` floats at `from`. */
  count(from: number, length: number): void;
  /** Moves the counts of a page to the `pageBins` float64 numbers at `to` and returns their sum. */
  drain(page: number, to: number): number;
  /** The extremes of each of `lists` lists of `length` floats, one after the other at `from`: `listFloats` each at `to`. */
  extremes(from: number, lists: number, length: number, to: number): void;
}

/** Floats in the memory of a counter, or anywhere else. */
export type Floats = { readonly address: number; readonly length: number } | Float32Array;

/** A memory, and the kernels that count and find extremes in it. */
export class Counter {
  readonly #memory = new WebAssembly.Memory({ initial: Math.ceil(free / memoryPage), maximum: memoryPage });
  readonly #kernels: Kernels;
  #end = free;
  #block: number | undefined;
  #found = new Float32Array();
  #numbers = new Float64Array();

  /** @param kernels 'scalar' counts the same in JavaScript, for a machine without WebAssembly SIMD */
  constructor(kernels: 'simd' | 'scalar' = simd ? 'simd' : 'scalar') {
    const memory = this.#memory;
    this.#kernels =
      kernels === 'simd' && simd
        ? (new WebAssembly.Instance(simd, { qdq: { memory } }).exports as unknown as Kernels)
        : scalarKernels(memory);
  }

  /** The memory as it is now: allocating may put another in its place, of the same content. */
  get buffer(): ArrayBuffer {
    return this.#memory.buffer;
  }

  /** The same memory as numbers. */
  get numbers(): Float64Array {
    if (this.#numbers.buffer !== this.#memory.buffer) this.#numbers = new Float64Array(this.#memory.buffer);
    return this.#numbers;
  }

  /**
   * The address of `bytes` zeros, which nothing else uses; a multiple of 64.
   * @throws RangeError when the memory cannot grow, at the latest at 4 GiB
   */
  allocate(bytes: number): number {
    const address = this.#end;
    const end = address + 64 * Math.ceil(bytes / 64);
    const missing = end - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / memoryPage));
    this.#end = end;
    return address;
  }

  /** Where the values are: an array in this memory would be cut off from it by the next allocation, a place is not. */
  locate(values: Float32Array): Floats {
    return values.buffer === this.#memory.buffer ? { address: values.byteOffset, length: values.length } : values;
  }

  /** Counts values, at most `mostCounted`; until they are drained, nothing else may be counted. */
  count(values: Floats): void {
    if ('address' in values) return this.#kernels.count(values.address, values.length);
    this.#blocks(values, (address, length) => this.#kernels.count(address, length));
  }

  /** See `ElementMemory`. Nothing moves: the arrays in this memory stay. */
  extremes(values: Float32Array, lists: number): Float32Array {
    if (this.#found.length < listFloats * lists) this.#found = new Float32Array(listFloats * lists);
    const places = this.locate(values);
    const length = values.length / lists;
    for (let list = 0; list < lists; list += listsAtOnce) {
      const count = Math.min(listsAtOnce, lists - list);
      if ('address' in places) {
        const from = places.address + Float32Array.BYTES_PER_ELEMENT * list * length;
        this.#kernels.extremes(from, count, length, tableEnd);
      } else {
        for (let i = 0; i < count; i++)
          this.#extremesOf(values.subarray((list + i) * length, (list + i + 1) * length), tableEnd + listBytes * i);
      }
      this.#found.set(new Float32Array(this.buffer, tableEnd, listFloats * count), listFloats * list);
    }
    return this.#found.subarray(0, listFloats * lists);
  }

  /** Of one list, elsewhere, block by block. */
  #extremesOf(values: Float32Array, to: number): void {
    const apart = tableEnd + listBytes * listsAtOnce;
    this.#kernels.extremes(to, 1, 0, to);
    this.#blocks(values, (block, length) => {
      this.#kernels.extremes(block, 1, length, apart);
      const [part, whole] = [apart, to].map((at) => new Float32Array(this.buffer, at, listFloats));
      for (let i = 0; i < series; i++) {
        whole![i] = Math.min(whole![i]!, part![i]!);
        whole![series + i] = Math.max(whole![series + i]!, part![series + i]!);
      }
    });
  }

  /** Copies values from elsewhere here, a block at a time. */
  #blocks(values: Float32Array, use: (address: number, length: number) => void): void {
    this.#block ??= this.allocate(Float32Array.BYTES_PER_ELEMENT * blockLength);
    const block = new Float32Array(this.buffer, this.#block, blockLength);
    for (let from = 0; from < values.length; from += blockLength) {
      const part = values.subarray(from, from + blockLength);
      block.set(part);
      use(this.#block, part.length);
    }
  }

  /** Moves the counts of a page to the `pageBins` float64 numbers at this address and returns their sum. */
  drain(page: number, to: number): number {
    return this.#kernels.drain(page, to);
  }

  /** The pages of these values, each once, in order of appearance. */
  pagesOf(values: Floats): Set<number> {
    const [buffer, address] = 'address' in values ? [this.buffer, values.address] : [values.buffer, values.byteOffset];
    const bits = new Uint32Array(buffer, address, values.length);
    const seen = new Uint8Array(pagesEach);
    const pages = new Set<number>();
    for (let i = 0; i < bits.length; i++) {
      const page = bits[i]! >>> exponentShift;
      if (seen[page] === 0) pages.add(page);
      seen[page] = 1;
    }
    return pages;
  }
}

const simd = compile();

/** Compiles the kernels; undefined where there is no WebAssembly SIMD. */
function compile(): WebAssembly.Module | undefined {
  try {
    return new WebAssembly.Module(Buffer.from(wasm, 'base64'));
  } catch {
    return undefined;
  }
}

/** Cuts values into parts of at most `mostCounted`. */
export function* partsOf(values: Floats): Generator<Floats> {
  for (let from = 0; from < values.length; from += mostCounted) {
    const length = Math.min(mostCounted, values.length - from);
    yield 'address' in values
      ? { address: values.address + Float32Array.BYTES_PER_ELEMENT * from, length }
      : values.subarray(from, from + length);
  }
}

/** The kernels in JavaScript. */
function scalarKernels(memory: WebAssembly.Memory): Kernels {
  return {
    count(from, length) {
      const counts = new Uint16Array(memory.buffer, 0, lanes * pagesEach * pageBins);
      const bits = new Uint32Array(memory.buffer, from, length);
      for (let i = 0; i < length; i++) counts[lanes * (bits[i]! >>> mantissaShift) + (i % lanes)]!++;
    },
    drain(page, to) {
      const length = lanes * pageBins;
      const counts = new Uint16Array(memory.buffer, page * length * Uint16Array.BYTES_PER_ELEMENT, length);
      const sums = new Float64Array(memory.buffer, to, pageBins);
      let drained = 0;
      for (let i = 0; i < length; i++) {
        sums[Math.floor(i / lanes)]! += counts[i]!;
        drained += counts[i]!;
      }
      counts.fill(0);
      return drained;
    },
    extremes(from, lists, length, to) {
      const [values, found] = [
        new Float32Array(memory.buffer, from, lists * length),
        new Float32Array(memory.buffer, to, listFloats * lists),
      ];
      for (let list = 0; list < lists; list++) {
        const [low, high] = [listFloats * list, listFloats * list + series];
        found.fill(Infinity, low, high).fill(-Infinity, high, high + series);
        for (let i = 0; i < length; i++) {
          const [value, at] = [values[list * length + i]!, i % series];
          found[low + at] = Math.min(found[low + at]!, value);
          found[high + at] = Math.max(found[high + at]!, value);
        }
      }
    },
  };
}
