/**
 * What the generated encoders write to: protobufjs's Writer with holes. A large payload is not copied into the buffer;
 * its place and source are noted and its length is counted, so that the buffer holds only the skeleton of the model.
 * The result is a list of segments to stream. (protobufjs's own buffer turns quadratic past 1 GiB.)
 */
import protobuf from 'protobufjs/light.js';
import { lazyThreshold } from './bytes.ts';
import type { Int64, Payload, TensorProto } from './messages.ts';
import { packedArrays } from './reader.ts';
import { encodeUtf8, hasEscapes } from './strings.ts';

/** The part of protobufjs's Writer that is inherited. Positions count bytes of the skeleton. */
interface WriterBase {
  pos: number;
  buf: Uint8Array;
  /** Makes room for so many more bytes; may replace `buf`. */
  _reserve(count: number): void;
  uint32(value: number): this;
  int64(value: number): this;
  float(value: number): this;
  string(value: string): this;
  bytes(value: Uint8Array): this;
}
const WriterBase = protobuf.Writer as unknown as new () => WriterBase;

interface Hole {
  /** Where in the skeleton the payload belongs. */
  at: number;
  readonly payload: Payload;
}

/** A message being written: where its length goes, and the holes noted before it. */
interface Fork {
  readonly at: number;
  readonly holes: number;
  readonly held: number;
}

const wireVarint = 0;
const wireFixed32 = 5;

export class SegmentWriter extends WriterBase {
  readonly #holes: Hole[] = [];
  readonly #forks: Fork[] = [];
  readonly #replaced: ReadonlyMap<TensorProto, TensorProto>;
  /** Bytes in holes so far. */
  #held = 0;

  /** @param replaced tensors to be written in place of others, so that saving need not rebuild the graph around them */
  constructor(replaced: ReadonlyMap<TensorProto, TensorProto> = new Map()) {
    super();
    this.#replaced = replaced;
  }

  get byteLength(): number {
    return this.pos + this.#held;
  }

  /** Everything written, in order: pieces of the skeleton and payloads. */
  segments(): Payload[] {
    const segments: Payload[] = [];
    let from = 0;
    for (const { at, payload } of this.#holes) {
      if (at > from) segments.push(this.buf.subarray(from, at));
      segments.push(payload);
      from = at;
    }
    if (this.pos > from) segments.push(this.buf.subarray(from, this.pos));
    return segments;
  }

  tensor(proto: TensorProto): TensorProto {
    return this.#replaced.get(proto) ?? proto;
  }

  override int64(value: Int64): this {
    if (typeof value === 'number') return super.int64(value);
    this._reserve(10);
    let rest = BigInt.asUintN(64, value);
    for (; rest > 127n; rest >>= 7n) this.buf[this.pos++] = Number(rest & 127n) | 0x80;
    this.buf[this.pos++] = Number(rest);
    return this;
  }

  int64s(values: readonly Int64[]): this {
    return this.#scalars(values, wireVarint, (value) => this.int64(value));
  }

  floats(values: readonly number[]): this {
    return this.#scalars(values, wireFixed32, (value) => this.float(value));
  }

  override string(value: string): this {
    return hasEscapes(value) ? this.bytes(encodeUtf8(value)) : super.string(value);
  }

  /** Bytes without a length prefix: an unknown field, or the content of a payload field between fork and ldelim. */
  raw(payload: Payload): this {
    if (payload instanceof Uint8Array && payload.length < lazyThreshold) {
      this._reserve(payload.length);
      this.buf.set(payload, this.pos);
      this.pos += payload.length;
    } else {
      this.#holes.push({ at: this.pos, payload });
      this.#held += payload.byteLength;
    }
    return this;
  }

  /** Begins a message, leaving one byte for its length. */
  fork(): this {
    this._reserve(1);
    this.#forks.push({ at: this.pos, holes: this.#holes.length, held: this.#held });
    this.pos += 1;
    return this;
  }

  /** Ends the message begun last: writes its length, moving skeleton and holes when that takes more than one byte. */
  ldelim(): this {
    const { at, holes, held } = this.#forks.pop()!;
    const length = this.pos - at - 1 + this.#held - held;
    const shift = varintSize(length) - 1;
    if (shift > 0) {
      this._reserve(shift);
      this.buf.copyWithin(at + 1 + shift, at + 1, this.pos);
      for (let i = holes; i < this.#holes.length; i++) this.#holes[i]!.at += shift;
      this.pos += shift;
    }
    let rest = length;
    for (let i = 0; i < shift; i++, rest = Math.floor(rest / 128)) this.buf[at + i] = (rest % 128) | 0x80;
    this.buf[at + shift] = rest;
    return this;
  }

  /**
   * A repeated scalar, packed if the file had it so. The tag before it says packed; field numbers below 16 take one
   * byte.
   */
  #scalars<T extends Int64>(values: readonly T[], wireType: number, write: (value: T) => void): this {
    if (packedArrays.has(values)) {
      this.fork();
      for (const value of values) write(value);
      return this.ldelim();
    }
    const tag = (this.buf[--this.pos]! & ~7) | wireType;
    for (const value of values) {
      this.uint32(tag);
      write(value);
    }
    return this;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}
