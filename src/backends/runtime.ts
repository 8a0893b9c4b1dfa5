/**
 * The onnxruntime-node module: loaded on first use, so that commands that need no runtime start fast, and spoken to in our tensors.
 *
 * qdq relies on more than its documented interface (where optimized graphs are written, constants handed over in memory, outputs written in
 * place), so package.json pins the release that the tests run on, and older ones than those that were tried are refused.
 */
import { createRequire } from 'node:module';
import type * as Ort from 'onnxruntime-node';
import type { InputInfo } from '../data/sample.ts';
import type { DataTypeName, TensorValue, TypedArray } from '../onnx/data-types.ts';
import { textNumbers, textsOf } from '../onnx/strings.ts';
import { backendErrors } from '../errors/backends.ts';

/** Releases that were tried with the demo and every format, and gave equal bytes; ascending. */
export const triedRuntimes = ['1.26.0', '1.29.0', '1.30.0'] as const;

/** Refuses releases below the oldest that was tried: 1.22 cannot take constants from memory. @throws BACKEND_TOO_OLD */
export function checkRuntimeVersion(version: string | undefined): void {
  const [oldest] = triedRuntimes;
  if (version !== undefined && isBelow(version, oldest))
    throw backendErrors.tooOld(version, oldest, triedRuntimes.at(-1)!);
}

function isBelow(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}

/**
 * onnxruntime's telemetry leaves files where the home folder cannot be written. Set when this file is loaded, which the main thread
 * does first: what a worker sets in its copy of the environment native code does not see.
 */
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';

let runtime: typeof Ort | undefined;

/** The onnxruntime-node module, loaded once. @throws BACKEND_MISSING, BACKEND_TOO_OLD */
export function loadRuntime(): typeof Ort {
  if (runtime) return runtime;
  let loaded: typeof Ort;
  try {
    loaded = createRequire(import.meta.url)('onnxruntime-node') as typeof Ort;
  } catch (cause) {
    throw backendErrors.runtimeMissing(`${process.platform}/${process.arch}`, cause);
  }
  checkRuntimeVersion(loaded.env.versions.node);
  return (runtime = loaded);
}

/** An input or output as data is matched with it; unknown dimensions are null, outputs that are no tensors have none. */
export function toInfo(metadata: Ort.InferenceSession.ValueMetadata): InputInfo {
  if (!metadata.isTensor) return { name: metadata.name, type: 'string', dims: [] };
  return {
    name: metadata.name,
    type: metadata.type as DataTypeName,
    dims: metadata.shape.map((dim) => (typeof dim === 'number' ? (dim < 0 ? null : dim) : dim === '' ? null : dim)),
  };
}

/** A tensor of onnxruntime on the same memory. Texts, which are numbers of a table in ours (onnx/strings.ts), are written out. */
export function toOrt(ort: typeof Ort, { type, data, dims }: TensorValue): Ort.Tensor {
  if (type === 'string') return new ort.Tensor('string', textsOf(data), dims);
  const bytes = type === 'bool' ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data;
  const tensor = new ort.Tensor(type as 'float32', bytes as Float32Array, dims);
  // Where there are arrays of float16 (Node.js 24), the tensor makes one of the bits, which its native side cannot read.
  if (type === 'float16') Object.defineProperty(tensor, 'data', { value: data });
  return tensor;
}

/** The reverse of toOrt; float16 as its bits. */
export function fromOrt({ type, dims, data: given }: Ort.Tensor): TensorValue {
  if (type === 'string') return { type, dims, data: textNumbers(given as string[]) };
  const data = given as unknown as TypedArray;
  const bits = type === 'float16' && !(data instanceof Uint16Array);
  return {
    type: type as DataTypeName,
    dims,
    data: bits ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data,
  };
}
