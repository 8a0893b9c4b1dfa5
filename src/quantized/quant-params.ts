/**
 * Affine quantization: integer types, range → scale and zero point, numbers → codes.
 *
 *   scale = (max − min) / (qmax − qmin),  zero point = round(qmin − min / scale),  code = round(x / scale) + zero point
 *
 * As onnxruntime.quantization computes it: the range is stretched to include 0 so that 0 has a code (padding, Relu), the arithmetic is
 * in float64, and the scale is rounded to float32 once, at the end. Codes round half to even of the float32 quotient, as
 * QuantizeLinear does, and saturate.
 */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { dataType } from '../onnx/data-types.ts';
import { packSubByte } from '../onnx/narrow-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { Interval } from '../ops/op.ts';

/** Types of codes. */
export type IntegerType = 'uint8' | 'int8' | 'uint16' | 'int16' | 'uint4' | 'int4';

/** Affine parameters of one tensor. */
export interface QuantParams {
  readonly type: IntegerType;
  /** A float32 value. */
  readonly scale: number;
  readonly zeroPoint: number;
}

/** The codes that a tensor may use. Symmetric signed types leave out the lowest code, so that -x has a code whenever x has. */
export function codeRange(type: IntegerType, symmetric: boolean, reduced = false): { qmin: number; qmax: number } {
  const { bits } = dataType(type);
  const half = 2 ** (bits - 1);
  if (type.startsWith('u')) return { qmin: 0, qmax: reduced ? half - 1 : 2 * half - 1 };
  if (reduced) return { qmin: -half / 2, qmax: half / 2 };
  return { qmin: symmetric ? 1 - half : -half, qmax: half - 1 };
}

/**
 * Finds the affine parameters for observed values in [range.min, range.max]. A constant zero tensor gets scale 1.
 * @param limits the codes to use; default all that the type has
 */
export function activationParams(
  range: Interval,
  type: IntegerType,
  symmetric: boolean,
  limits: { readonly qmin: number; readonly qmax: number } = codeRange(type, symmetric),
): QuantParams {
  let min = Math.min(range.min, 0);
  let max = Math.max(range.max, 0);
  const { qmin, qmax } = limits;
  if (symmetric) {
    max = Math.max(-min, max);
    min = -max;
  }
  const scale = (max - min) / (qmax - qmin);
  const middle = roundHalfEven((qmin + qmax) / 2);
  if (!isUsableScale(scale)) return { type, scale: 1, zeroPoint: symmetric ? middle : qmin };
  const zeroPoint = symmetric ? middle : clamp(roundHalfEven(qmin - min / scale), qmin, qmax);
  return { type, scale: Math.fround(scale), zeroPoint };
}

/** False for scales that underflow float32's normal numbers: dividing by them would overflow. */
export function isUsableScale(scale: number): boolean {
  return scale >= 1.1754943508222875e-38;
}

/** 1.5 · 2^52: a float64 this large has no fraction bits, so adding it rounds, half to even. */
const shifter = 6755399441055744;

/** Rounds half to even: exact for |x| < 2^51; larger values are integers already or beyond every code. */
export function roundHalfEven(x: number): number {
  return Math.abs(x) < 2 ** 51 ? x + shifter - shifter : Math.round(x);
}

/** Limits x to low … high. */
export function clamp(x: number, low: number, high: number): number {
  return x < low ? low : x > high ? high : x;
}

/** The interval of real values that the codes stand for. */
export function representable({ type, scale, zeroPoint }: QuantParams, symmetric: boolean): Interval {
  const { qmin, qmax } = codeRange(type, symmetric);
  return { min: (qmin - zeroPoint) * scale, max: (qmax - zeroPoint) * scale };
}

/** One element per code, also where the type is stored packed. */
export type Codes = Int8Array | Uint8Array | Int16Array | Uint16Array;

/** `length` codes, all 0. */
export function codes(type: IntegerType, length: number): Codes {
  switch (type) {
    case 'uint8':
    case 'uint4':
      return new Uint8Array(length);
    case 'int8':
    case 'int4':
      return new Int8Array(length);
    case 'uint16':
      return new Uint16Array(length);
    case 'int16':
      return new Int16Array(length);
  }
}

/** Makes a tensor of codes, packed where the type has less than 8 bits. */
export function codesTensor(name: string, type: IntegerType, dims: readonly number[], of: Codes): Tensor {
  const { bits } = dataType(type);
  return Tensor.of(name, type, dims, bits < 8 ? packSubByte(of as Int8Array | Uint8Array, bits) : of);
}

/** Quantizes a constant under one scale. */
export function quantizeTensor(tensor: Tensor, params: QuantParams, symmetric: boolean, name: string): Tensor {
  const { qmin, qmax } = codeRange(params.type, symmetric);
  const values = tensor.floats();
  const out = codes(params.type, values.length);
  for (let i = 0; i < values.length; i++) {
    out[i] = clamp(roundHalfEven(Math.fround(values[i]! / params.scale)) + params.zeroPoint, qmin, qmax);
  }
  return codesTensor(name, params.type, tensor.dims, out);
}

/** A scale that is none: what a training that diverged leaves behind, and onnxruntime computes with without a word. */
interface BadScale {
  readonly node: Node;
  /** The constant that holds it. */
  readonly tensor: string;
  readonly value: number;
  /** Its position, when there are several. */
  readonly index: number | undefined;
}

/** Finds the constant scales of QuantizeLinear and DequantizeLinear that are not finite numbers above 0: the first one of each tensor. */
export function badScales(model: Model): BadScale[] {
  const seen = new Set<string>();
  const found: BadScale[] = [];
  for (const node of model.allNodes()) {
    const scale = node.is('QuantizeLinear', 'DequantizeLinear') ? node.constant(1) : undefined;
    const tensor = node.input(1)?.name ?? '';
    if (!scale || seen.has(tensor)) continue;
    seen.add(tensor);
    const values = scale.floats();
    const at = values.findIndex((value) => !(value > 0 && value < Infinity));
    if (at >= 0) found.push({ node, tensor, value: values[at]!, index: scale.size > 1 ? at : undefined });
  }
  return found;
}

/** Describes it: "its scale 'ws' holds NaN at [2]". */
export function describeBadScale({ tensor, value, index }: Omit<BadScale, 'node'>): string {
  return index === undefined
    ? `its scale '${tensor}' is ${value}`
    : `its scale '${tensor}' holds ${value} at [${index}]`;
}
