/**
 * A file that appears whole or not at all: written beside its place under a temporary name, renamed at the end.
 * Payloads are copied through one small buffer, whatever their size.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { onnxErrors } from '../errors/onnx.ts';
import { onInterrupt } from '../process/interrupt.ts';
import { copyInto } from './bytes.ts';
import { systemError } from './file.ts';
import type { Journal } from './journal.ts';
import type { Payload } from './messages.ts';

/** Measured: 128 KiB stays in the cache between read and write; 1 MiB costs three times as much per byte to read. */
const bufferSize = 2 ** 17;

/** Writes a file that fits in memory. @throws what PendingFile throws */
export function writeWhole(path: string, bytes: Uint8Array): void {
  const file = new PendingFile(path, bytes.length);
  try {
    file.write(bytes, () => {});
    file.close();
    file.commit();
  } finally {
    file.discard();
  }
}

export class PendingFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #expected: number;
  readonly #journal: Journal | undefined;
  /** Where the next bytes go. */
  #position = 0;
  readonly #buffer = new Uint8Array(bufferSize);
  #filled = 0;
  #fd: number | undefined;
  /** Takes the removal of the temporary file off the list of what an interrupt must undo. */
  #settled: () => void = () => {};

  /**
   * @param path where the file is to appear, in an existing folder
   * @param expected its size in bytes, for the message when the disk is full
   * @param journal of a file that outlives an interrupt: it is written on behind what the journal has verified
   * @throws ONNX_OUTPUT_FOLDER, ONNX_OUTPUT_NOT_A_FILE, ONNX_UNWRITABLE, ONNX_DISK_FULL
   */
  constructor(path: string, expected: number, journal?: Journal) {
    this.path = path;
    this.#expected = expected;
    this.#journal = journal;
    this.#temporary = journal?.file ?? join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}.tmp`);
    this.#attempt(() => {
      if (!statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory())
        throw onnxErrors.outputFolder(dirname(path));
      if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) throw onnxErrors.outputNotAFile(path);
      if (!journal) {
        this.#fd = openSync(this.#temporary, 'wx');
        this.#settled = onInterrupt(() => this.discard());
        return;
      }
      this.#position = journal.byteLength;
      this.#fd = openSync(this.#temporary, journal.byteLength > 0 ? 'r+' : 'w');
      ftruncateSync(this.#fd, journal.byteLength);
    });
  }

  /** Appends a payload; `onBytes` is told of every piece. */
  write(payload: Payload, onBytes: (count: number) => void): void {
    for (let offset = 0; offset < payload.byteLength;) {
      const count = Math.min(payload.byteLength - offset, bufferSize - this.#filled);
      const piece = this.#buffer.subarray(this.#filled, this.#filled + count);
      copyInto(payload, offset, piece);
      this.#journal?.add(piece);
      this.#filled += count;
      offset += count;
      if (this.#filled === bufferSize) this.#flush();
      onBytes(count);
    }
  }

  /** Ends the writing; the file is complete, under its temporary name. */
  close(): void {
    this.#flush();
    const fd = this.#fd!;
    this.#fd = undefined;
    this.#attempt(() => closeSync(fd));
  }

  /** Puts the closed file in its place. */
  commit(): void {
    this.#attempt(() => renameSync(this.#temporary, this.path));
    this.#journal?.remove();
    this.#settled();
  }

  /** Removes what was written, unless it was committed. */
  discard(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    rmSync(this.#temporary, { force: true });
    this.#journal?.remove();
    this.#settled();
  }

  #flush(): void {
    this.#attempt(() => {
      for (let done = 0; done < this.#filled;) {
        const count = writeSync(this.#fd!, this.#buffer, done, this.#filled - done, this.#position);
        done += count;
        this.#position += count;
      }
    });
    this.#filled = 0;
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!systemError(error)) throw error;
      const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
      throw full ? onnxErrors.diskFull(this.path, this.#expected, error) : onnxErrors.unwritable(this.path, error);
    }
  }
}
