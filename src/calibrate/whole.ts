/**
 * The statistics of a tensor that left the graph whole, from its elements: in rows, or in the blocks of channels in which
 * onnxruntime computes convolutions (blocked.ts). There each block of one image holds, position after position, the values of its
 * channels side by side, and the last block is filled up with channels that are none.
 */
import type { TensorValue } from '../onnx/data-types.ts';
import { series } from './kernels/counter.ts';
import type { Landing } from './observers/observer.ts';
import type { WholeTensor } from './statistics.ts';

/** A memory whose kernels find extremes. */
export type Memory = Pick<Landing, 'extremes'>;

/**
 * Reads one tensor, run after run. What it finds stays in its fields, and numbers in variables of their own: objects and pairs would
 * be garbage, tens of thousands of them in every run.
 */
export class WholeReader {
  /** Of the last tensor, 0 for −0; NaN if there is one, Infinity and -Infinity without elements. */
  min = Infinity;
  max = -Infinity;
  /** The largest value of each channel, if they are told apart. */
  readonly channels: Float32Array | undefined;
  readonly #whole: WholeTensor;
  readonly #memory: Memory;
  #images = 1;
  /** Of one image. */
  #blocks = 0;
  /** Whether the last block of an image is filled up. */
  #filled = false;

  constructor(whole: WholeTensor, memory: Memory) {
    this.#whole = whole;
    this.#memory = memory;
    this.channels = whole.channels === undefined ? undefined : new Float32Array(whole.channels);
  }

  /** @returns its elements without the channels that are none, in any order, where the tensor is */
  read({ dims, data }: TensorValue): Float32Array {
    const { blocked } = this.#whole;
    this.#images = dims[0] ?? 1;
    if (blocked) {
      this.#blocks = dims[1]! / blocked.block;
      this.#filled = blocked.channels < dims[1]!;
    }
    this.#findExtremes(data as Float32Array);
    return this.#filled ? this.#realChannels(data as Float32Array) : (data as Float32Array);
  }

  #findExtremes(data: Float32Array): void {
    const { channels } = this;
    const block = this.#whole.blocked?.block;
    const real = this.#whole.blocked?.channels ?? Infinity;
    const apart = channels !== undefined || this.#filled;
    // Of each image, one list a block, or a channel of a tensor in rows: all places of it are of that channel.
    const each = block ? this.#blocks : (channels?.length ?? 1);
    const lists = apart ? this.#images * each : 1;
    channels?.fill(-Infinity);
    let min = Infinity;
    let max = -Infinity;
    const found = data.length > 0 ? this.#memory.extremes(data, lists) : data;
    for (let list = 0, at = 0; at < found.length; list++, at += 2 * series) {
      const first = (list % each) * (block ?? 1);
      for (let i = 0; i < series; i++) {
        const channel = block ? first + (i % block) : first;
        if (this.#filled && channel >= real) continue;
        const high = found[at + series + i]!;
        min = Math.min(min, found[at + i]!);
        max = Math.max(max, high);
        if (channels && high > channels[channel]!) channels[channel] = high + 0;
      }
    }
    this.min = min + 0;
    this.max = max + 0;
  }

  /** What is behind a channel that is none moves up. */
  #realChannels(data: Float32Array): Float32Array {
    const { block, channels } = this.#whole.blocked!;
    const count = this.#images * this.#blocks;
    const length = data.length / count;
    let to = 0;
    for (let list = 0; list < count; list++) {
      const real = Math.min(block, channels - (list % this.#blocks) * block);
      const from = list * length;
      const end = from + length;
      if (real === block) {
        if (to < from) data.copyWithin(to, from, end);
        to += length;
        continue;
      }
      for (let position = from; position < end; position += block)
        for (let i = 0; i < real; i++) data[to++] = data[position + i]!;
    }
    return data.subarray(0, to);
  }
}
