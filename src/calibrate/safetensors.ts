/** State files as safetensors: read whole, and what is wrong with one said as an error of states. */
import { headerEnd, Malformed, parseHeader, type Safetensors } from '../data/safetensors.ts';
import { calibrateErrors } from '../errors/calibrate.ts';
import { dataType, type TypedArray } from '../onnx/data-types.ts';

export { encodeSafetensors } from '../data/safetensors.ts';

/**
 * @param path how errors call the file
 * @throws CALIBRATE_STATE_TRUNCATED, CALIBRATE_STATE_FOREIGN
 */
export function decodeSafetensors(bytes: Uint8Array, path: string): Safetensors {
  const need = (length: number): void => {
    if (bytes.length < length) throw calibrateErrors.stateTruncated(path, length, bytes.length);
  };
  try {
    need(8);
    const start = headerEnd(bytes);
    need(start);
    const header = parseHeader(bytes.subarray(8, start));
    need(header.size);
    const arrays: Record<string, TypedArray> = {};
    for (const [name, { type, offset, byteLength }] of header.arrays) {
      // A copy: a Buffer's slice would be a view of the whole file, and unaligned.
      const copy = new Uint8Array(bytes.subarray(offset, offset + byteLength));
      arrays[name] = new (dataType(type).array)(copy.buffer);
    }
    return { arrays, metadata: header.metadata };
  } catch (error) {
    throw error instanceof Malformed ? calibrateErrors.stateForeign(path, error.message) : error;
  }
}
