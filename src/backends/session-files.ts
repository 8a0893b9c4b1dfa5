/**
 * Temporary files of sessions: the folders that hold them, what is said when there can be none, and the one that matters most: the graph
 * that onnxruntime makes of a model and really runs, which a session writes into a file for a while and which is read back from there.
 */
import { rmSync, mkdtempSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { modelFromProto } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import { onInterrupt } from '../process/interrupt.ts';
import { loadModel } from '../onnx/model-file.ts';
import { backendErrors } from '../errors/backends.ts';
import type { SessionOptions } from './session-options.ts';

/** Room that a graph takes beside its constants, in bytes. */
const graphBytes = 2 ** 20;

/** Makes a new folder for temporary files. @throws TEMPORARY_FOLDER */
export function temporaryFolder(prefix: string): string {
  try {
    return mkdtempSync(join(tmpdir(), prefix));
  } catch (cause) {
    throw backendErrors.noTemporary(tmpdir(), cause);
  }
}

/** Tries whether there can be temporary files, before any work that would be lost. @throws TEMPORARY_FOLDER */
export function checkTemporary(): void {
  rmSync(temporaryFolder('qdq-'), { recursive: true });
}

/** Looks after a failure whether it was for want of room. @param bytes of constants that were to be written @throws TEMPORARY_FULL */
export function checkRoom(bytes: number, cause: unknown): void {
  let free: number;
  try {
    const { bavail, bsize } = statfsSync(tmpdir());
    free = bavail * bsize;
  } catch {
    return;
  }
  if (free < bytes + graphBytes) throw backendErrors.temporaryFull(tmpdir(), bytes + graphBytes, cause);
}

/** The optimized graph of one session, as a file until `remove`. An interrupt removes it too. */
export class OptimizedGraph {
  readonly #folder = temporaryFolder('qdq-');
  readonly #path = join(this.#folder, 'optimized.onnx');
  readonly #release = onInterrupt(() => this.#clear());

  /** The options that make a session write it. */
  get options(): SessionOptions {
    return { optimizedModelPath: this.#path };
  }

  /** Reads it back. Its constants stay in the file, from where a session takes large ones as they lie. */
  read(): Model {
    const file = loadModel(this.#path);
    const model = modelFromProto(file.proto, file.dir);
    file.close();
    return model;
  }

  /** A session that has opened the graph needs the file no longer. */
  remove(): void {
    this.#clear();
    this.#release();
  }

  #clear(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Bytes of all constants, those of bodies included. */
export function constantBytes(model: Model): number {
  let bytes = 0;
  for (const graph of model.graph.graphs())
    for (const value of graph.values.values()) bytes += value.initializer?.byteLength ?? 0;
  return bytes;
}
