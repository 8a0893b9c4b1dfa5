/** Which part of what a run returned belongs to which sample, where the batch is filled up: found by running one sample many times. */
import { elementCount, type TypedArray } from '../onnx/data-types.ts';

type Numbers = TypedArray | readonly number[];

interface Result {
  readonly dims: readonly number[];
  readonly data: Numbers;
}

/** Of the largest magnitude: kernels take the rows at the end of a tensor on another way than the rest. */
const tolerance = 1e-4;

/**
 * The first axis along which the result of `rows` equal samples repeats itself that often: there the samples lie side by side.
 * Undefined where it does not: a list of all detections, say.
 */
export function repeatedAxis({ dims, data }: Result, rows: number): number | undefined {
  const axis = dims.findIndex((dim, i) => dim > 0 && dim % rows === 0 && repeats(data, dims, i, rows));
  return axis < 0 ? undefined : axis;
}

/** The results of the first `samples` of `rows`, these being the first axis. */
export function realRows<T extends Exclude<Numbers, readonly number[]>>(
  { dims, data }: { readonly dims: readonly number[]; readonly data: T },
  axis: number,
  rows: number,
  samples: number,
): { dims: readonly number[]; data: T } {
  const count = (dims[axis]! / rows) * samples;
  const rest = dims.filter((_, i) => i !== axis);
  if (axis === 0) return { dims: [count, ...rest], data: data.subarray(0, (data.length / rows) * samples) as T };
  const [blocks, inner] = [elementCount(dims.slice(0, axis)), elementCount(dims.slice(axis + 1))];
  const result = new (data.constructor as new (length: number) => T)(blocks * count * inner);
  for (let block = 0; block < blocks; block++) {
    for (let row = 0; row < count; row++) {
      const from = (block * dims[axis]! + row) * inner;
      result.set(data.subarray(from, from + inner) as never, (row * blocks + block) * inner);
    }
  }
  return { dims: [count, ...rest], data: result };
}

function repeats(data: Numbers, dims: readonly number[], axis: number, rows: number): boolean {
  const blocks = elementCount(dims.slice(0, axis));
  const length = data.length / blocks;
  const each = length / rows;
  const near = nearness(data);
  for (let block = 0; block < blocks; block++) {
    for (let i = each; i < length; i++) {
      const at = block * length;
      if (!near(data[at + i]!, data[at + (i % each)]!)) return false;
    }
  }
  return true;
}

function nearness(data: Numbers): (a: number | bigint, b: number | bigint) => boolean {
  if (!(data instanceof Float32Array) && !(data instanceof Float64Array)) return (a, b) => a === b;
  let most = 0;
  for (const value of data) if (Math.abs(value) > most && value - value === 0) most = Math.abs(value);
  const bound = most * tolerance;
  return (a, b) => Object.is(a, b) || a === b || Math.abs(Number(a) - Number(b)) <= bound;
}
