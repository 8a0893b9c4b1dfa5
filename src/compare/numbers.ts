/** Output tensors as numbers that metrics can subtract, whatever their element type. */
import type { DataTypeName, TensorValue } from '../onnx/data-types.ts';
import { bfloat16ToFloat32, float16ToFloat32, toFloat32 } from '../onnx/float16.ts';
import type { Numbers } from './metrics/metric.ts';

const comparable: ReadonlySet<DataTypeName> = new Set<DataTypeName>([
  ...(['float32', 'float64', 'float16', 'bfloat16', 'bool'] as const),
  ...(['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'] as const),
]);

/** Whether tensors of this type can be subtracted: not strings, complex and packed types. */
export function isComparable(type: DataTypeName): boolean {
  return comparable.has(type);
}

/** The elements of a tensor of a comparable type; the array itself when it is float32 or float64. */
export function toNumbers({ type, data }: TensorValue): Numbers {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    return Float64Array.from(data as BigInt64Array, Number);
  // Node.js from 24 on has a Float16Array, which onnxruntime returns instead of bit patterns.
  if (data instanceof Uint16Array && type === 'float16') return toFloat32(data, float16ToFloat32);
  if (data instanceof Uint16Array && type === 'bfloat16') return toFloat32(data, bfloat16ToFloat32);
  return Float64Array.from(data);
}

/** Index of the first NaN or infinity at or after `from`, or -1. */
export function firstNonFinite(values: Numbers, from = 0): number {
  for (let i = from; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

/**
 * Both with 0 where they hold the same infinity, as what is masked or suppressed on purpose; themselves where there is none. What is
 * not finite afterwards is a difference.
 */
export function withoutEqualInfinities(a: Numbers, b: Numbers): readonly [Numbers, Numbers] {
  let [left, right] = [a, b];
  for (let i = firstNonFinite(a); i >= 0; i = firstNonFinite(a, i + 1)) {
    if (a[i] !== b[i]) continue;
    if (left === a) [left, right] = [a.slice(), b.slice()];
    left[i] = right[i] = 0;
  }
  return [left, right];
}
