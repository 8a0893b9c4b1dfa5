/** Generated samples (`--data random`): enough to try a command, never enough to trust a model. */
import { elementCount, type DataTypeName, type TensorValue, type TypedArray } from '../../onnx/data-types.ts';
import { textNumbers } from '../../onnx/strings.ts';
import { float32ToFloat16 } from '../../onnx/narrow-types.ts';
import { dataErrors } from '../../errors/data.ts';
import { indexedDataset, type Format } from '../dataset.ts';
import { random as generator, type Random } from '../random.ts';
import type { InputInfo } from '../sample.ts';

/**
 * Floats are about standard normal, integers and booleans are zero, which every index accepts. A free batch axis is 1.
 * Sample i depends on the seed and i alone, whichever samples are read before it.
 */
export const random: Format = {
  name: 'random',
  accepts: 'random: generated values, to try things out',
  preprocesses: false,
  detect: ({ kind, path }) => kind === 'word' && path === 'random',
  async open({ target, inputs, seed, count }) {
    const shapes = inputs.map((input) => ({ input, dims: dimsOf(input) }));
    const id = (position: number): string => `random#${position}`;
    const read = (position: number) => {
      const numbers = generator(seed, position);
      const tensors = shapes.map(({ input, dims }) => [input.name, generate(input, dims, numbers)] as const);
      return Promise.resolve({ id: id(position), inputs: Object.fromEntries(tensors) });
    };
    return indexedDataset({
      source: target.path,
      format: 'random',
      inputs,
      count,
      labelled: false,
      synthetic: true,
      id,
      open: () => Promise.resolve({ read }),
    });
  },
};

function dimsOf(input: InputInfo): number[] {
  return input.dims.map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    if (axis === 0) return 1;
    throw dataErrors.randomShape(input);
  });
}

/** Elements of one tensor. */
const mostElements = 2 ** 31;

type Generate = (length: number, numbers: Random) => TypedArray;

const fill: Partial<Record<DataTypeName, Generate>> = {
  float32: (length, numbers) => Float32Array.from({ length }, () => numbers.normal()),
  float64: (length, numbers) => Float64Array.from({ length }, () => numbers.normal()),
  float16: (length, numbers) => Uint16Array.from({ length }, () => float32ToFloat16(numbers.normal())),
  int8: (length) => new Int8Array(length),
  uint8: (length) => new Uint8Array(length),
  int16: (length) => new Int16Array(length),
  uint16: (length) => new Uint16Array(length),
  int32: (length) => new Int32Array(length),
  uint32: (length) => new Uint32Array(length),
  int64: (length) => new BigInt64Array(length),
  uint64: (length) => new BigUint64Array(length),
  bool: (length) => new Uint8Array(length),
  string: (length) => textNumbers(Array.from({ length }, () => '')),
};

function generate(input: InputInfo, dims: readonly number[], numbers: Random): TensorValue {
  const make = fill[input.type];
  if (!make) throw dataErrors.unsupportedType('random', input);
  const count = elementCount(dims);
  if (!(count <= mostElements)) throw dataErrors.randomSize(input, mostElements);
  return { type: input.type, dims, data: make(count, numbers) };
}
