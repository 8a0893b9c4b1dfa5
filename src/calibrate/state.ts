/**
 * The calibration state: what the samples told about one model, and how it came about. As a file it is the arrays of the
 * observer and one JSON record, in a safetensors container; equal states make equal files.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { calibrateErrors } from '../errors/calibrate.ts';
import { skippedWarnings, type SkippedRecord } from '../data/skip-bad.ts';
import { headerEnd, Malformed, parseHeader, encodeSafetensors, type Safetensors } from '../data/safetensors.ts';
import { dataType, type TypedArray } from '../onnx/data-types.ts';
import { writeWhole } from '../onnx/pending-file.ts';
import { observerOf, observerOptions } from './observers/index.ts';
import type { ObserverOptions, ObserverState } from './observers/observer.ts';
import type { Ranges } from './ranges.ts';

/** A state. */
export interface CalibrationState {
  /** Of the file of the float model, in hex. */
  readonly modelSha256: string;
  /** In the order of the arrays. */
  readonly tensors: readonly string[];
  readonly observer: string;
  readonly observerOptions: ObserverOptions;
  /** The data, as Dataset has it. */
  readonly source: string;
  readonly format: string;
  readonly synthetic: boolean;
  readonly preprocess: string | undefined;
  /** Number of samples taken in. */
  readonly samples: number;
  /** sha256 over the ids of the whole selection, each followed by a line feed, in the order in which they are read. */
  readonly idsHash: string;
  /** Undefined when every sample of the selection was taken in. */
  readonly shards?: Shards | undefined;
  /** What is to be said of the model and the observer, whatever the samples. */
  readonly notes: readonly string[];
  /** What is to be said of this run and its flags. It does not go into the file: equal samples make equal bytes. */
  readonly remarks?: readonly string[] | undefined;
  /** Bad samples of the selection that were left out. */
  readonly skipped?: SkippedRecord | undefined;
  readonly arrays: ObserverState;
}

/** Which shards of a calibration a state holds. */
export interface Shards {
  /** How many there are in all. */
  readonly count: number;
  /** Ascending. */
  readonly parts: readonly ShardPart[];
}

/** One shard of those that a state holds. */
export interface ShardPart {
  /** From 1. */
  readonly index: number;
  readonly samples: number;
  /** Over the ids of this shard's samples. */
  readonly idsHash: string;
}

/** Version of the record and of what the arrays mean; raised when older readers would misread it. */
export const stateSchema = 2;
/** Histograms of version 1 are of a fixed sample, without the extremes of single samples; they are read as they were. */
const readable = [1, stateSchema];

const format = 'qdq calibration state';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const record = z.strictObject({
  schema: z.literal(readable),
  modelSha256: hash,
  observer: z.string(),
  observerOptions: z.record(z.string(), z.number()),
  source: z.string(),
  format: z.string(),
  synthetic: z.boolean(),
  preprocess: z.string().optional(),
  samples: z.int().positive(),
  idsHash: hash,
  shards: z
    .strictObject({
      count: z.int().positive(),
      parts: z.array(z.strictObject({ index: z.int().positive(), samples: z.int().positive(), idsHash: hash })).min(1),
    })
    .optional(),
  notes: z.array(z.string()),
  skipped: z
    .strictObject({
      positions: z.array(z.int().min(0)).min(1),
      first: z.array(z.strictObject({ position: z.int().min(0), why: z.string() })),
    })
    .optional(),
  tensors: z.array(z.string()),
});

/**
 * Writes a state.
 * @throws ONNX_OUTPUT_FOLDER, ONNX_OUTPUT_NOT_A_FILE, ONNX_UNWRITABLE, ONNX_DISK_FULL: the same for every file qdq writes
 */
export function writeState(path: string, state: CalibrationState): void {
  const { arrays, remarks: _, ...rest } = state;
  // The schema fixes the order of the keys, so that equal states make equal bytes.
  const text = JSON.stringify(record.parse({ schema: stateSchema, ...rest }));
  const bytes = encodeSafetensors({ arrays, metadata: { format, state: text } });
  writeWhole(path, bytes);
}

/**
 * Reads a state.
 * @param modelSha256 of the model the state is wanted for
 * @throws CALIBRATE_STATE_*: missing, unreadable, truncated, foreign, newer, of another model; CALIBRATE_OBSERVER
 */
export function readState(path: string, modelSha256?: string): CalibrationState {
  const { arrays, metadata } = decodeStateFile(readBytes(path), path);
  if (metadata['format'] !== format)
    throw calibrateErrors.stateForeign(path, 'it is a safetensors file of another kind');
  const { schema, ...fields } = parseRecord(metadata['state'], path);
  if (modelSha256 !== undefined && fields.modelSha256 !== modelSha256) throw calibrateErrors.stateOtherModel(path);
  const observer = observerOf(fields.observer);
  observerOptions(observer, fields.observerOptions);
  const decoded = observer.decode(arrays, fields.tensors.length);
  if (!decoded) throw calibrateErrors.stateForeign(path, `its arrays are not those of observer '${observer.id}'`);
  return { ...fields, preprocess: fields.preprocess, arrays: decoded };
}

/** What a reader of the result should know, one line each. */
export function notesOf({ notes, remarks = [], skipped }: CalibrationState): string[] {
  return [...notes, ...remarks, ...skippedWarnings(skipped)];
}

/**
 * What the observer makes of the arrays: one range per tensor.
 * @param bits of the quantizer, for observers to which that makes a difference
 */
export function rangesOf(
  { observer: id, observerOptions: given, tensors, arrays }: CalibrationState,
  bits?: number,
): Ranges {
  const observer = observerOf(id);
  const known = bits !== undefined && 'bits' in observer.options ? { ...given, bits } : given;
  const ranges = observer.finish(arrays, observerOptions(observer, known));
  return new Map(tensors.map((tensor, i) => [tensor, ranges[i]!]));
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === 'ENOENT'
      ? calibrateErrors.stateNotFound(path)
      : calibrateErrors.stateUnreadable(path, cause);
  }
}

function parseRecord(text: string | undefined, path: string): z.infer<typeof record> {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    throw calibrateErrors.stateForeign(path, 'its record is no JSON');
  }
  const schema = (value as { schema?: unknown } | null)?.schema;
  if (typeof schema === 'number' && schema > stateSchema) throw calibrateErrors.stateNewer(path, schema, stateSchema);
  const parsed = record.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw calibrateErrors.stateForeign(path, `its record is wrong at '${issue.path.join('.')}': ${issue.message}`);
}

/**
 * The arrays and texts of a safetensors file that is read whole; what is wrong with it is an error of states.
 * @param path how errors call the file
 * @throws CALIBRATE_STATE_TRUNCATED, CALIBRATE_STATE_FOREIGN
 */
export function decodeStateFile(bytes: Uint8Array, path: string): Safetensors {
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
