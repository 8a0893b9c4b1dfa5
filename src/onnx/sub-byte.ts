/**
 * Elements of 2 and 4 bits, packed low bits first within each byte, as raw_data has them; the last byte is padded
 * with 0.
 */

/** One integer per element; sign-extended when `signed`. */
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

/** The inverse of unpackSubByte; bits of a value beyond the width are dropped. */
export function packSubByte(values: Int8Array | Uint8Array, bits: number): Uint8Array {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const packed = new Uint8Array(Math.ceil(values.length / perByte));
  for (let i = 0; i < values.length; i++) {
    packed[Math.floor(i / perByte)]! |= (values[i]! & mask) << ((i % perByte) * bits);
  }
  return packed;
}
