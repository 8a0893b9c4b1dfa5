/**
 * The checkpoint of a calibration under way: what the samples so far came to and which they were, so that a run that was stopped
 * goes on from there. It counts for the command that wrote it and no other.
 */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { writeWhole } from '../onnx/pending-file.ts';
import { encodeSafetensors } from '../data/safetensors.ts';
import type { Observer, ObserverState } from './observers/observer.ts';
import { decodeStateFile } from './state.ts';

/** What a checkpoint holds. */
export interface CalibrationCheckpoint {
  /** By place in the selection: 1 for a sample that was taken in. Places past the end were not. */
  readonly taken: Uint8Array;
  readonly arrays: ObserverState;
}

const format = 'qdq calibration under way';
const takenName = '.taken';

/** The key of a command, equal for commands that calibrate the same: whatever changes a byte of the result must be in here. */
export function keyOf(command: Readonly<Record<string, unknown>>): string {
  const sorted = Object.entries(command).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex');
}

/** Writes a checkpoint, which replaces the file of before at once: a kill at any moment leaves the one or the other. */
export function writeCheckpoint(path: string, key: string, { taken, arrays }: CalibrationCheckpoint): void {
  const bytes = encodeSafetensors({ arrays: { ...arrays, [takenName]: taken }, metadata: { format, key } });
  writeWhole(path, bytes);
}

/** Reads a checkpoint; undefined when there is none, 'foreign' when it is damaged or another command's. */
export function readCheckpoint(
  path: string,
  key: string,
  observer: Observer,
  tensors: number,
): CalibrationCheckpoint | 'foreign' | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : 'foreign';
  }
  try {
    const { arrays: all, metadata } = decodeStateFile(bytes, path);
    const { [takenName]: taken, ...rest } = all;
    const arrays = observer.decode(rest, tensors);
    const ours = metadata['format'] === format && metadata['key'] === key;
    return ours && arrays && taken instanceof Uint8Array ? { taken, arrays } : 'foreign';
  } catch {
    return 'foreign';
  }
}

/** Removes a checkpoint, if there is one. */
export function removeCheckpoint(path: string): void {
  rmSync(path, { force: true });
}

/** Adds samples to those that were taken in: `taken` with 1 at these places of the selection. */
export function withPlaces(taken: Uint8Array, places: readonly number[]): Uint8Array {
  const last = places.reduce((most, place) => Math.max(most, place), taken.length - 1);
  const all = new Uint8Array(last + 1);
  all.set(taken);
  for (const place of places) all[place] = 1;
  return all;
}
