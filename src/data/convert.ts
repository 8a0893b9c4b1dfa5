/**
 * The conversions that files and readers may need to fit an input's type: those that keep every value (int64 → int32
 * when it fits, uint8 → float32) and the rounding of wider floats. Never a float to an integer: that would be a guess.
 */
import type { DataTypeName, TypedArray } from '../onnx/data-types.ts';
import { float16ToFloat32, float32ToFloat16, fromFloat32, toFloat32 } from '../onnx/narrow-types.ts';

type Numbers = Exclude<TypedArray, BigInt64Array | BigUint64Array>;

/** Least and greatest value of the integer types that samples can have. */
const ranges: Partial<Record<DataTypeName, readonly [number | bigint, number | bigint]>> = {
  bool: [0, 1],
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};
const floats: readonly DataTypeName[] = ['float16', 'float32', 'float64'];

/** Whether a tensor of type `from` may feed an input of type `to`; integers are checked again value by value. */
export function convertible(from: DataTypeName, to: DataTypeName): boolean {
  if (from === to) return true;
  const integer = ranges[from] !== undefined;
  return floats.includes(to) ? integer || floats.includes(from) : integer && ranges[to] !== undefined;
}

/**
 * `data` as elements of type `to`, which must be convertible; the same array when the types agree.
 * @throws RangeError that names the first value which `to` cannot hold.
 */
export function convert(data: TypedArray, from: DataTypeName, to: DataTypeName): TypedArray {
  if (from === to) return data;
  if (!floats.includes(to)) return convertIntegers(data, to);
  const numbers: Numbers =
    data instanceof BigInt64Array || data instanceof BigUint64Array
      ? Float64Array.from(data as Iterable<bigint>, Number)
      : from === 'float16'
        ? toFloat32(data as Uint16Array, float16ToFloat32)
        : data;
  if (to === 'float16') return fromFloat32(Float32Array.from(numbers), float32ToFloat16);
  return to === 'float32' ? Float32Array.from(numbers) : Float64Array.from(numbers);
}

function convertIntegers(data: TypedArray, to: DataTypeName): TypedArray {
  const [least, greatest] = ranges[to]!;
  for (const value of data) {
    if (value < least || value > greatest) throw new RangeError(`${value} does not fit ${to}`);
  }
  if (to === 'int64') return BigInt64Array.from(data as Iterable<number>, BigInt);
  if (to === 'uint64') return BigUint64Array.from(data as Iterable<number>, BigInt);
  const numbers = data as Numbers;
  const value = (element: number | bigint): number => Number(element);
  switch (to) {
    case 'int8':
      return Int8Array.from(numbers, value);
    case 'int16':
      return Int16Array.from(numbers, value);
    case 'uint16':
      return Uint16Array.from(numbers, value);
    case 'int32':
      return Int32Array.from(numbers, value);
    case 'uint32':
      return Uint32Array.from(numbers, value);
    default:
      return Uint8Array.from(numbers, value);
  }
}
