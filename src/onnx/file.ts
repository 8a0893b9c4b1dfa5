/**
 * Files as byte sources: positional reads on one descriptor per file, opened at the first read and shared by all
 * ranges. A file that changes while ranges of it are in use is an error, never silently wrong data. All reading through
 * `node:` that the room does is here, so that another host needs to replace this file only.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
  type BigIntStats,
  type Stats,
} from 'node:fs';
import { basename, dirname, resolve, sep } from 'node:path';
import { nearest } from '../errors/qdq-error.ts';
import { onnxErrors } from '../errors/onnx.ts';
import { checkRange, chunks, FillingSource, type RangeSource } from './bytes.ts';

/** readSync takes at most 2^31-1 bytes. */
const readLimit = 2 ** 30;
const hashChunk = 2 ** 20;

const openFiles = new Map<string, WeakRef<SourceFile>>();
const descriptors = new FinalizationRegistry<number>((fd) => closeSync(fd));

/** The file at `path`, shared between all who ask while it is in use and unchanged. */
export function sourceFile(path: string): SourceFile {
  const full = resolve(path);
  const stats = statInput(path);
  const known = openFiles.get(full)?.deref();
  if (known?.isSame(stats)) return known;
  const file = new SourceFile(path, stats);
  openFiles.set(full, new WeakRef(file));
  return file;
}

export class SourceFile extends FillingSource implements RangeSource {
  /** As the user gave it, for messages. */
  readonly path: string;
  readonly fullPath: string;
  readonly byteLength: number;
  readonly #stats: Stats;
  #fd: number | undefined;

  constructor(path: string, stats: Stats) {
    super();
    this.path = path;
    this.byteLength = stats.size;
    this.fullPath = resolve(path);
    this.#stats = stats;
  }

  isSame(stats: Stats): boolean {
    const { dev, ino, size, mtimeMs } = this.#stats;
    return stats.dev === dev && stats.ino === ino && stats.size === size && stats.mtimeMs === mtimeMs;
  }

  slice(offset: number, length: number): FileRange {
    return new FileRange(this, offset, length);
  }

  readInto(offset: number, target: Uint8Array): void {
    checkRange(this, offset, target.length);
    try {
      const fd = this.#open();
      for (let done = 0; done < target.length;) {
        const count = readSync(fd, target, done, Math.min(target.length - done, readLimit), offset + done);
        if (count === 0) throw onnxErrors.changed(this.path);
        done += count;
      }
    } catch (error) {
      throw systemError(error) ? onnxErrors.unreadable(this.path, error) : error;
    }
  }

  /** Releases the descriptor; a later read opens the file again. */
  close(): void {
    if (this.#fd === undefined) return;
    descriptors.unregister(this);
    closeSync(this.#fd);
    this.#fd = undefined;
  }

  sha256(): string {
    const hash = createHash('sha256');
    for (const piece of chunks(this, hashChunk)) hash.update(piece);
    return hash.digest('hex');
  }

  /** The descriptor, after making sure that the file still is what it was. */
  #open(): number {
    if (this.#fd === undefined) {
      this.#fd = openSync(this.fullPath, 'r');
      descriptors.register(this, this.#fd, this);
    }
    if (!this.isSame(fstatSync(this.#fd))) throw onnxErrors.changed(this.path);
    return this.#fd;
  }
}

/** Some bytes of a file, read when asked for. */
export class FileRange implements RangeSource {
  readonly file: SourceFile;
  /** Where the range begins in the file. */
  readonly offset: number;
  readonly byteLength: number;

  constructor(file: SourceFile, offset: number, byteLength: number) {
    checkRange(file, offset, byteLength);
    this.file = file;
    this.offset = offset;
    this.byteLength = byteLength;
  }

  /** Absolute. */
  get path(): string {
    return this.file.fullPath;
  }

  slice(offset: number, length: number): FileRange {
    checkRange(this, offset, length);
    return new FileRange(this.file, this.offset + offset, length);
  }

  read(offset: number, length: number): Uint8Array {
    checkRange(this, offset, length);
    return this.file.read(this.offset + offset, length);
  }

  readInto(offset: number, target: Uint8Array): void {
    checkRange(this, offset, target.length);
    this.file.readInto(this.offset + offset, target);
  }
}

export type Location = { readonly path: string } & (
  | { readonly refused: 'escapes' | 'symlink' | 'missing' }
  | { readonly refused?: never }
);

/** Where a relative location leads from `folder`, and why it must not be followed, by the rules of onnxruntime. */
export function locate(folder: string, location: string): Location {
  const base = resolve(folder);
  const path = resolve(base, location);
  const absolute = /^([/\\]|[A-Za-z]:)/.test(location);
  if (absolute || location.includes('\0') || !isInside(base, path)) return { path, refused: 'escapes' };
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats) return { path, refused: 'missing' };
  if (stats.isSymbolicLink()) return { path, refused: 'symlink' };
  if (!isInside(realpathSync(base), realpathSync(path))) return { path, refused: 'escapes' };
  return { path };
}

export function folderOf(path: string): string {
  return dirname(resolve(path));
}

/** True when both paths lead to one existing file, through links too. */
export function isSameFile(a: string, b: string): boolean {
  // Numbers of files may be larger than a number holds.
  const [first, second] = [a, b].map((path) => attemptStat(path));
  return first !== undefined && second !== undefined && first.dev === second.dev && first.ino === second.ino;
}

function attemptStat(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false, bigint: true });
  } catch {
    return undefined;
  }
}

/** True for errors of the operating system, as against those of this program. */
export function systemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

function isInside(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function statInput(path: string): Stats {
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw onnxErrors.unreadable(path, error);
  }
  if (!stats) throw onnxErrors.notFound(path, nearbyModel(path));
  if (!stats.isFile()) throw onnxErrors.notAFile(path);
  return stats;
}

/** The model in the same folder that a mistyped path may have meant. */
function nearbyModel(path: string): string | undefined {
  try {
    const models = readdirSync(dirname(path)).filter((name) => name.endsWith('.onnx'));
    const name = nearest(basename(path), models);
    return name === undefined ? undefined : path.slice(0, path.length - basename(path).length) + name;
  } catch {
    return undefined;
  }
}
