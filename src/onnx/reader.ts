/**
 * What the generated decoders read from: protobufjs's Reader over a ByteSource instead of one buffer. Small fields are
 * read through a window of 256 KB; payloads are skipped and become ranges of the source, so that a file of any size
 * decodes in a few MB. `pos` and `len` are absolute offsets and may exceed 2^32.
 */
import protobuf from 'protobufjs/light.js';
import { onnxErrors } from '../errors/onnx.ts';
import { lazyThreshold, type RangeSource } from './bytes.ts';
import type { Int64, Payload } from './messages.ts';
import { decodeUtf8 } from './strings.ts';

const windowSize = 256 * 1024;

/**
 * The part of protobufjs's Reader that is inherited: the cursor, and skipping by wire type built on the methods
 * below.
 */
interface ReaderBase {
  pos: number;
  len: number;
  discardUnknown: boolean;
  skipType(wireType: number, depth?: number, fieldNumber?: number): this;
}
const ReaderBase = protobuf.Reader as unknown as new (buffer: Uint8Array) => ReaderBase;

/** Repeated scalars that the file had packed. onnx.proto writes them unpacked, onnx.proto3 packed: both are kept. */
export const packedArrays = new WeakSet<readonly Int64[]>();

export class SourceReader extends ReaderBase {
  readonly #source: RangeSource;
  readonly #file: string;
  #window: Uint8Array = new Uint8Array();
  #view = new DataView(this.#window.buffer);
  #start = 0;
  /** Upper half of the varint read last. */
  #high = 0;

  /** @param file what errors call the source */
  constructor(source: RangeSource, file: string) {
    super(new Uint8Array());
    this.#source = source;
    this.#file = file;
    this.len = source.byteLength;
    this.discardUnknown = false;
  }

  tag(): number {
    const tag = this.#varint();
    if (this.#high !== 0) throw this.#malformed('a field number beyond 29 bits');
    return tag;
  }

  /** A length prefix, checked against the end of the enclosing message. */
  size(): number {
    const at = this.pos;
    const length = this.#varint() + this.#high * 2 ** 32;
    if (this.pos + length > this.len) throw this.#overrun(at, this.pos + length);
    return length;
  }

  int32(): number {
    return this.#varint() | 0;
  }

  int64(): Int64 {
    const low = this.#varint();
    const high = this.#high | 0;
    if (high >= -0x200000 && high < 0x200000) {
      const value = high * 2 ** 32 + low;
      if (Number.isSafeInteger(value)) return value;
    }
    return (BigInt(high) << 32n) | BigInt(low);
  }

  int64s(array: Int64[]): Int64[] {
    packedArrays.add(array);
    const end = this.size() + this.pos;
    while (this.pos < end) array.push(this.int64());
    if (this.pos !== end) throw this.#malformed('a packed field that ends within a number');
    return array;
  }

  float(): number {
    const at = this.#reach(4);
    this.pos += 4;
    return this.#view.getFloat32(at, true);
  }

  floats(array: number[]): number[] {
    packedArrays.add(array);
    const end = this.size() + this.pos;
    while (this.pos < end) array.push(this.float());
    if (this.pos !== end) throw this.#malformed('a packed field that ends within a number');
    return array;
  }

  string(): string {
    const length = this.size();
    if (length > windowSize) return decodeUtf8(this.#take(length));
    const at = this.#reach(length);
    this.pos += length;
    return decodeUtf8(this.#window, at, at + length);
  }

  bytes(): Uint8Array {
    return this.#take(this.size()).slice();
  }

  /** The next `length` bytes: copied when small, else the range where they are. */
  payload(length: number): Payload {
    if (length < lazyThreshold) return this.#take(length).slice();
    const range = this.#source.slice(this.pos, length);
    this.pos += length;
    return range;
  }

  /** An unknown field, tag included. */
  raw(start: number, end: number): Payload {
    this.pos = start;
    return this.payload(end - start);
  }

  /** Skips so many bytes, or a varint. */
  skip(length?: number): this {
    if (length === undefined) this.#varint();
    else if (this.pos + length > this.len) throw this.#overrun(this.pos, this.pos + length);
    else this.pos += length;
    return this;
  }

  /** The next bytes as a view that the next read may overwrite. */
  #take(length: number): Uint8Array {
    if (length > windowSize) {
      const bytes = this.#source.read(this.pos, length);
      this.pos += length;
      return bytes;
    }
    const at = this.#reach(length);
    this.pos += length;
    return this.#window.subarray(at, at + length);
  }

  #varint(): number {
    const limit = Math.min(10, this.len - this.pos);
    const at = this.#reach(Math.max(1, limit));
    let low = 0;
    let high = 0;
    for (let i = 0; i < limit; i++) {
      const byte = this.#window[at + i]!;
      const bits = byte & 0x7f;
      if (i < 4) low |= bits << (7 * i);
      else if (i > 4) high |= bits << (7 * i - 32);
      else {
        low |= bits << 28;
        high = bits >>> 4;
      }
      if (byte < 0x80) {
        this.pos += i + 1;
        this.#high = high >>> 0;
        return low >>> 0;
      }
    }
    throw limit === 10 ? this.#malformed('a number longer than 10 bytes') : this.#overrun(this.pos, this.len + 1);
  }

  /** Brings the next `count` bytes into the window and returns where in the window they begin. */
  #reach(count: number): number {
    if (this.pos + count > this.len) throw this.#overrun(this.pos, this.pos + count);
    const at = this.pos - this.#start;
    if (at >= 0 && at + count <= this.#window.length) return at;
    const length = Math.min(windowSize, this.#source.byteLength - this.pos);
    this.#window = this.#source.read(this.pos, length);
    this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, length);
    this.#start = this.pos;
    return 0;
  }

  #malformed(cause: string): Error {
    return onnxErrors.malformed(this.#file, this.pos, cause);
  }

  /** Lengths are checked from the outside in: what is too long inside a message that fits is damage, not truncation. */
  #overrun(at: number, end: number): Error {
    if (this.len === this.#source.byteLength) return onnxErrors.truncated(this.#file, at, end - this.len);
    return onnxErrors.malformed(this.#file, at, `a field that ends ${end - this.len} bytes after its message`);
  }
}
