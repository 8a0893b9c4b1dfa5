/**
 * Element types that JavaScript has no arrays for: float16 (IEEE 754 binary16), bfloat16, and integers of 2 and 4 bits.
 *
 * float16 and bfloat16 bit patterns become float32 exactly; the other way rounds half to even. NaN stays NaN with its sign and upper payload
 * bits; a float32 beyond the range becomes infinity. Elements of 2 and 4 bits are packed low bits first within each byte, as raw_data has
 * them; the last byte is padded with 0.
 */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Moves a float16 exponent (bias 15) placed in float32 position to bias 127; subnormals come out right as well. */
const rebias = 2 ** 112;

/** Added to a value below the least normal float16, it leaves the rounded subnormal in the low mantissa bits. */
const subnormalMagic = 0.5;

export function float16ToFloat32(half: number): number {
  bits[0] = (half & 0x7fff) << 13;
  if ((half & 0x7c00) === 0x7c00) bits[0] |= 0x7f800000;
  else float[0] = float[0]! * rebias;
  bits[0]! |= (half & 0x8000) << 16;
  return float[0]!;
}

export function float32ToFloat16(value: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const magnitude = bits[0]! & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    bits[0] = magnitude;
    float[0] = float[0]! + subnormalMagic;
    return sign | (bits[0]! & 0x7ff);
  }
  const roundToEven = 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((magnitude - 0x38000000 + roundToEven) >>> 13);
}

export function bfloat16ToFloat32(brain: number): number {
  bits[0] = brain << 16;
  return float[0]!;
}

export function float32ToBfloat16(value: number): number {
  float[0] = value;
  const pattern = bits[0]!;
  if ((pattern & 0x7fffffff) > 0x7f800000) return (pattern >>> 16) | 0x40;
  return ((pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Converts whole arrays; `convert` is one of the functions above. */
export function toFloat32(from: Uint16Array, convert: (half: number) => number): Float32Array {
  const to = new Float32Array(from.length);
  for (let i = 0; i < from.length; i++) to[i] = convert(from[i]!);
  return to;
}

export function fromFloat32(from: Float32Array, convert: (value: number) => number): Uint16Array {
  const to = new Uint16Array(from.length);
  for (let i = 0; i < from.length; i++) to[i] = convert(from[i]!);
  return to;
}

/** Unpacks elements of `bits` bits to one integer each; sign-extended when `signed`. */
export function unpackSubByte(
  packed: Uint8Array,
  bits: number,
  signed: boolean,
  count: number,
): Int8Array | Uint8Array {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const signShift = 32 - bits;
  const values = signed ? new Int8Array(count) : new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const value = (packed[Math.floor(i / perByte)]! >>> ((i % perByte) * bits)) & mask;
    values[i] = signed ? (value << signShift) >> signShift : value;
  }
  return values;
}

/** Packs elements, the inverse of unpackSubByte; bits of a value beyond the width are dropped. */
export function packSubByte(values: Int8Array | Uint8Array, bits: number): Uint8Array {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const packed = new Uint8Array(Math.ceil(values.length / perByte));
  for (let i = 0; i < values.length; i++) {
    packed[Math.floor(i / perByte)]! |= (values[i]! & mask) << ((i % perByte) * bits);
  }
  return packed;
}
