/**
 * External data: tensors whose bytes are in another file beside the model. The location comes from the model, so it is
 * not trusted: it must stay inside the model's folder and must not be a symbolic link, as onnxruntime demands too.
 */
import { onnxErrors } from '../errors/onnx.ts';
import { locate, sourceFile } from './file.ts';
import type { ByteSource, StringStringEntryProto, TensorProto } from './messages.ts';

/** TensorProto.DataLocation */
export const dataLocations = { default: 0, external: 1 } as const;

/** Finds the bytes of a tensor that is stored externally. `byteLength` is what its type and dims need. */
export type ExternalResolver = (tensor: TensorProto, byteLength: number) => ByteSource;

export interface ExternalReference {
  /** Path relative to the folder of the model. */
  readonly location: string;
  readonly offset: number;
  /** Undefined when the file does not say: then as many bytes as the tensor needs. */
  readonly length: number | undefined;
  /** SHA-1 of the data file, when the exporter gave it. */
  readonly checksum: string | undefined;
}

export function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === dataLocations.external;
}

/** @throws ONNX_EXTERNAL_ENTRY when an entry is missing or not a number */
export function externalReference(tensor: TensorProto): ExternalReference {
  const entries = new Map(tensor.externalData?.map(({ key, value }) => [key, value ?? '']));
  const location = entries.get('location');
  for (const { key, value } of tensor.externalData ?? [])
    if (entries.get(key) !== (value ?? '')) throw onnxErrors.externalTwice(tensor.name ?? '', key ?? '');
  if (!location) throw onnxErrors.externalEntry(tensor.name ?? '', 'location', location);
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
      throw onnxErrors.externalEntry(tensor.name ?? '', key, text);
    return Number(text);
  };
  return { location, offset: number('offset') ?? 0, length: number('length'), checksum: entries.get('checksum') };
}

export function externalEntries(location: string, offset: number, length: number): StringStringEntryProto[] {
  return [
    { key: 'location', value: location },
    { key: 'offset', value: String(offset) },
    { key: 'length', value: String(length) },
  ];
}

/** Path of the file that holds a tensor. @throws ONNX_EXTERNAL_ESCAPES, ONNX_EXTERNAL_SYMLINK, ONNX_EXTERNAL_MISSING */
export function externalPath(tensor: TensorProto, folder: string): string {
  const { location } = externalReference(tensor);
  const { path, refused } = locate(folder, location);
  const name = tensor.name ?? '';
  if (refused === 'escapes') throw onnxErrors.externalEscapes(name, location);
  if (refused === 'symlink') throw onnxErrors.externalSymlink(name, path);
  if (refused === 'missing') throw onnxErrors.externalMissing(name, path);
  return path;
}

/** Resolves external data against the folder of the model. The bytes stay in their file until they are read. */
export function resolveInFolder(folder: string): ExternalResolver {
  return (tensor, byteLength) => {
    const { offset, length } = externalReference(tensor);
    const path = externalPath(tensor, folder);
    const file = sourceFile(path);
    const end = offset + (length ?? byteLength);
    if (end > file.byteLength) throw onnxErrors.externalBeyond(tensor.name ?? '', path, end, file.byteLength);
    return file.slice(offset, end - offset);
  };
}

/** For models that never were files. */
export const resolveNowhere: ExternalResolver = (tensor) => {
  throw onnxErrors.externalNoFolder(tensor.name ?? '');
};
