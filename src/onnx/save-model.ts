/**
 * Saving: streams a model, and its external data where there is any, into new files. Nothing is half-written and no
 * input is overwritten. Memory does not grow with the model: payloads go from their source to the disk in pieces.
 */
import { createHash } from 'node:crypto';
import { basename, dirname, resolve } from 'node:path';
import { onnxErrors } from '../errors/onnx.ts';
import { protobufLimit, writeModel } from './codec.ts';
import { dataLocations, externalEntries, externalPath, isExternal } from './external.ts';
import { toBytes } from './bytes.ts';
import { FileRange, folderOf, isSameFile } from './file.ts';
import { Journal } from './journal.ts';
import type { ModelProto, Payload, TensorProto } from './messages.ts';
import { modelTensors, type ModelTensor } from './model-tensors.ts';
import { PendingFile } from './pending-file.ts';
import { withoutData } from './tensor-data.ts';
import { Tensor } from './tensor.ts';

export interface SaveOptions {
  /**
   * 'auto': external data when the model had it or would pass 2 GiB; 'always': every initializer from `threshold` on;
   * 'never': one file; 'keep': references to external data stay as they are, for saving beside the original.
   */
  readonly externalData?: 'auto' | 'always' | 'never' | 'keep';
  /** Folder of the external data that the model refers to. Default: where the model was loaded from. */
  readonly sourceDir?: string | undefined;
  /** Bytes from which on an initializer is stored externally. Default 1024. */
  readonly threshold?: number;
  /** Files of this run that must not be overwritten, besides those that the model's payloads are read from. */
  readonly inputs?: readonly string[];
  readonly onProgress?: (bytesDone: number, bytesTotal: number) => void;
  /**
   * The writing of external data may be stopped and go on later, in the same place, with the same bytes at the end. Of everything
   * that decides the bytes of payloads and that the graph does not say.
   */
  readonly resumeKey?: string;
}

export interface SavedModel {
  readonly path: string;
  /** The file of external data, when one was written. */
  readonly dataPath?: string;
  /** Of all that was written. */
  readonly byteLength: number;
}

interface Part {
  readonly path: string;
  readonly segments: readonly Payload[];
}

/** Room below 2 GiB for what later tools add to a model. */
const singleFileLimit = 2 ** 31 - 64 * 2 ** 20;
/** Lets onnxruntime map each tensor. */
const alignment = 4096;
const padding = new Uint8Array(alignment);

/**
 * @throws ONNX_OUTPUT_*, ONNX_UNWRITABLE, ONNX_DISK_FULL, ONNX_TOO_LARGE, ONNX_EXTERNAL_*; whatever a lazy payload
 * throws
 */
export function saveModel(model: ModelProto, outPath: string, options: SaveOptions = {}): SavedModel {
  const origin = origins.get(model);
  const sourceDir = options.sourceDir ?? (origin === undefined ? undefined : folderOf(origin));
  const parts = planParts(model, outPath, { ...options, sourceDir });
  const inputs = origin === undefined ? [] : [origin];
  refuseInputs(model, parts, sourceDir, [...inputs, ...(options.inputs ?? [])]);
  const byteLength = writeParts(parts, options);
  return { path: outPath, ...(parts.length > 1 && { dataPath: parts[0]!.path }), byteLength };
}

/** What goes into which file, the data file first. */
function planParts(model: ModelProto, outPath: string, options: SaveOptions): Part[] {
  const { externalData = 'auto', sourceDir, threshold = 1024 } = options;
  const tensors = [...modelTensors(model)];
  const external = tensors.filter(({ proto }) => isExternal(proto));
  if (externalData === 'keep') {
    for (const { proto } of external) checkStays(proto, outPath, sourceDir);
    return [{ path: outPath, segments: writeModel(model).segments() }];
  }
  const split = externalData === 'always' || (externalData === 'auto' && external.length > 0);
  if (!split) {
    const writer = writeModel(model, inline(external, sourceDir));
    const limit = externalData === 'never' ? protobufLimit : singleFileLimit;
    if (writer.byteLength <= limit) return [{ path: outPath, segments: writer.segments() }];
    if (externalData === 'never') throw onnxErrors.tooLarge(outPath, writer.byteLength);
  }
  return planExternal(model, tensors, outPath, sourceDir, threshold);
}

function planExternal(
  model: ModelProto,
  tensors: readonly ModelTensor[],
  outPath: string,
  sourceDir: string | undefined,
  threshold: number,
): Part[] {
  const dataPath = `${outPath}.data`;
  const segments: Payload[] = [];
  const replaced = new Map<TensorProto, TensorProto>();
  let offset = 0;
  for (const { proto, isInitializer } of tensors) {
    if (replaced.has(proto)) continue;
    const tensor = Tensor.fromProto(proto, sourceDir);
    if (isInitializer && tensor.byteLength >= Math.max(1, threshold)) {
      const payload = tensor.payload();
      const start = Math.ceil(offset / alignment) * alignment;
      segments.push(padding.subarray(0, start - offset), payload);
      offset = start + payload.byteLength;
      replaced.set(proto, {
        ...withoutData(proto),
        externalData: externalEntries(basename(dataPath), start, payload.byteLength),
        dataLocation: dataLocations.external,
      });
    } else if (isExternal(proto)) replaced.set(proto, inlined(tensor));
  }
  const writer = writeModel(model, replaced);
  if (writer.byteLength > protobufLimit) throw onnxErrors.tooLarge(outPath, writer.byteLength);
  const part = { path: outPath, segments: writer.segments() };
  return segments.length > 0 ? [{ path: dataPath, segments }, part] : [part];
}

function inline(tensors: readonly ModelTensor[], sourceDir: string | undefined): Map<TensorProto, TensorProto> {
  return new Map(tensors.map(({ proto }) => [proto, inlined(Tensor.fromProto(proto, sourceDir))]));
}

function inlined(tensor: Tensor): TensorProto {
  return { ...withoutData(tensor.toProto()), rawData: tensor.payload() };
}

/** A kept reference must lead, from the new place, to the file that it leads to now. */
function checkStays(proto: TensorProto, outPath: string, sourceDir: string | undefined): void {
  const outDir = dirname(resolve(outPath));
  if (!sourceDir || !isSameFile(sourceDir, outDir)) throw onnxErrors.externalLeftBehind(proto.name ?? '', outDir);
}

function refuseInputs(
  model: ModelProto,
  parts: readonly Part[],
  sourceDir: string | undefined,
  inputs: readonly string[],
): void {
  const sources = new Set(inputs);
  for (const { segments } of parts) {
    for (const segment of segments) if (segment instanceof FileRange) sources.add(segment.path);
  }
  if (sourceDir !== undefined) {
    for (const { proto } of modelTensors(model)) if (isExternal(proto)) sources.add(externalPath(proto, sourceDir));
  }
  for (const { path } of parts) {
    for (const source of sources) if (isSameFile(path, source)) throw onnxErrors.outputIsInput(path);
  }
}

/** Where models were loaded from, so that a model without any large tensor is not saved over its own file either. */
export const origins = new WeakMap<ModelProto, string>();

/** Names, types, places and settings of all tensors are in the model that goes with the data. */
function openJournal(path: string, segments: readonly Payload[], { segments: model }: Part, key: string): Journal {
  const hash = createHash('sha256').update(key);
  for (const segment of model) hash.update(toBytes(segment));
  return new Journal(
    `${path}.unfinished`,
    hash.digest('hex'),
    segments.map(({ byteLength }) => byteLength),
  );
}

function writeParts(parts: readonly Part[], { onProgress, resumeKey }: SaveOptions): number {
  const size = (segments: readonly Payload[]) => segments.reduce((sum, segment) => sum + segment.byteLength, 0);
  const total = parts.reduce((sum, { segments }) => sum + size(segments), 0);
  const files: PendingFile[] = [];
  let done = 0;
  const count = (bytes: number) => onProgress?.((done += bytes), total);
  try {
    for (const [index, { path, segments }] of parts.entries()) {
      const resumes = resumeKey !== undefined && parts.length > 1 && index === 0;
      const journal = resumes ? openJournal(path, segments, parts[1]!, resumeKey) : undefined;
      const file = new PendingFile(path, total, journal);
      files.push(file);
      if (journal && journal.byteLength > 0) count(journal.byteLength);
      for (const segment of segments.slice(journal?.pieces ?? 0)) {
        file.write(segment, count);
        journal?.mark();
      }
      file.close();
    }
    for (const file of files) file.commit();
  } catch (error) {
    for (const file of files) file.discard();
    throw error;
  }
  return total;
}
