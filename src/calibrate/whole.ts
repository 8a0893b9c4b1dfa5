/** The statistics of a tensor that left the graph whole, from its elements. */
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
  readonly #memory: Memory;

  constructor({ channels }: WholeTensor, memory: Memory) {
    this.#memory = memory;
    this.channels = channels === undefined ? undefined : new Float32Array(channels);
  }

  read({ dims, data }: TensorValue): void {
    const { channels } = this;
    // One list, or one for each channel of each image.
    const each = channels?.length ?? 1;
    const lists = channels ? (dims[0] ?? 1) * each : 1;
    channels?.fill(-Infinity);
    let min = Infinity;
    let max = -Infinity;
    const found = data.length > 0 ? this.#memory.extremes(data as Float32Array, lists) : (data as Float32Array);
    for (let list = 0, at = 0; at < found.length; list++, at += 2 * series) {
      const channel = list % each;
      for (let i = 0; i < series; i++) {
        const high = found[at + series + i]!;
        min = Math.min(min, found[at + i]!);
        max = Math.max(max, high);
        if (channels && high > channels[channel]!) channels[channel] = high + 0;
      }
    }
    this.min = min + 0;
    this.max = max + 0;
  }
}
