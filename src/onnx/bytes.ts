/**
 * Payloads as bytes. A payload is plain bytes or a ByteSource; these helpers let callers treat both alike without
 * copying and without loading what they do not need. Free of `node:`; sources backed by files are in file.ts.
 */
import type { ByteSource, Payload } from './messages.ts';

/** Payloads from this size on stay where they are (a file range, the caller's array) instead of being copied. */
export const lazyThreshold = 4096;

/** A source that can hand out a part of itself without reading it: what a model is decoded from. */
export interface RangeSource extends ByteSource {
  slice(offset: number, length: number): Payload;
}

/** A source of bytes that fills arrays: `read` follows from `readInto`. */
export abstract class FillingSource implements ByteSource {
  abstract readonly byteLength: number;
  abstract readInto(offset: number, target: Uint8Array): void;

  read(offset: number, length: number): Uint8Array {
    const target = new Uint8Array(length);
    this.readInto(offset, target);
    return target;
  }
}

export class MemoryBytes implements RangeSource {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  read(offset: number, length: number): Uint8Array {
    checkRange(this, offset, length);
    return this.#bytes.subarray(offset, offset + length);
  }

  slice(offset: number, length: number): Uint8Array {
    return this.read(offset, length);
  }
}

/** Several payloads, one after the other. */
export class JoinedBytes extends FillingSource {
  readonly byteLength: number;
  readonly #parts: readonly Payload[];

  constructor(parts: readonly Payload[]) {
    super();
    this.#parts = parts;
    this.byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0);
  }

  readInto(offset: number, target: Uint8Array): void {
    checkRange(this, offset, target.length);
    let start = 0;
    let done = 0;
    for (const part of this.#parts) {
      const from = offset + done - start;
      const count = Math.min(part.byteLength - from, target.length - done);
      if (count > 0) {
        copyInto(part, from, target.subarray(done, done + count));
        done += count;
      }
      start += part.byteLength;
    }
  }
}

/** All bytes of a payload; a view where it is in memory already, so not to be written to. */
export function toBytes(payload: Payload): Uint8Array {
  return payload instanceof Uint8Array ? payload : payload.read(0, payload.byteLength);
}

/** Fills `target` with the bytes of `payload` from `offset` on. */
export function copyInto(payload: Payload, offset: number, target: Uint8Array): void {
  if (payload instanceof Uint8Array) target.set(payload.subarray(offset, offset + target.length));
  else if (payload.readInto) payload.readInto(offset, target);
  else target.set(payload.read(offset, target.length));
}

/** The payload in pieces of at most `size` bytes. Each piece is valid until the next one is taken. */
export function* chunks(payload: Payload, size: number): Generator<Uint8Array> {
  const buffer = payload instanceof Uint8Array ? undefined : new Uint8Array(Math.min(size, payload.byteLength));
  for (let offset = 0; offset < payload.byteLength; offset += size) {
    const length = Math.min(size, payload.byteLength - offset);
    if (!buffer) {
      yield (payload as Uint8Array).subarray(offset, offset + length);
      continue;
    }
    const piece = buffer.subarray(0, length);
    copyInto(payload, offset, piece);
    yield piece;
  }
}

export function checkRange(source: ByteSource, offset: number, length: number): void {
  if (offset < 0 || length < 0 || offset + length > source.byteLength) {
    throw new RangeError(`bytes ${offset} to ${offset + length} of a source of ${source.byteLength}`);
  }
}
