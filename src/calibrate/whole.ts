/**
 * The statistics of a tensor that left the graph whole, from its elements: in rows, or in the blocks of channels in which
 * onnxruntime computes convolutions (blocked.ts). There each block of one image holds, position after position, the values of its
 * channels side by side, and the last block is filled up with channels that are none.
 */
import type { TensorValue } from '../onnx/data-types.ts';
import { series } from './kernels/counter.ts';
import type { Landing } from './observers/observer.ts';
import type { Blocked, WholeTensor } from './statistics.ts';

interface Blocks extends Blocked {
  /** Blocks per image. */
  readonly each: number;
  /** Blocks of all images. */
  readonly count: number;
  /** Whether the last one of an image is filled up. */
  readonly filled: boolean;
}

/**
 * @param channels to fill in, the maximum of each
 * @returns the extremes, 0 for −0; NaN if one is
 */
export function wholeExtremes(
  tensor: TensorValue,
  whole: WholeTensor,
  memory: Pick<Landing, 'extremes'>,
  channels: Float32Array | undefined,
): { min: number; max: number } {
  const data = tensor.data as Float32Array;
  const blocks = blocksOf(tensor, whole);
  const apart = channels || blocks?.filled;
  const lists = apart ? (blocks?.count ?? channels!.length) : 1;
  channels?.fill(-Infinity);
  let [min, max] = [Infinity, -Infinity];
  const found = data.length > 0 ? memory.extremes(data, lists) : [];
  for (let list = 0, at = 0; at < found.length; list++, at += 2 * series) {
    // Of a list in rows, all places are of one channel.
    const first = blocks ? (list % blocks.each) * blocks.block : list;
    for (let i = 0; i < series; i++) {
      const channel = blocks ? first + (i % blocks.block) : first;
      if (blocks?.filled && channel >= blocks.channels) continue;
      const [low, high] = [found[at + i]! + 0, found[at + series + i]! + 0];
      min = Math.min(min, low);
      max = Math.max(max, high);
      if (channels && high > channels[channel]!) channels[channel] = high;
    }
  }
  return { min, max };
}

/** The elements without the channels that are none, in any order; those behind them move up. */
export function realChannels(tensor: TensorValue, whole: WholeTensor): Float32Array {
  const data = tensor.data as Float32Array;
  const blocks = blocksOf(tensor, whole);
  if (!blocks?.filled) return data;
  const length = data.length / blocks.count;
  let to = 0;
  for (let list = 0; list < blocks.count; list++) {
    const real = Math.min(blocks.block, blocks.channels - (list % blocks.each) * blocks.block);
    const [from, end] = [list * length, (list + 1) * length];
    if (real === blocks.block) {
      if (to < from) data.copyWithin(to, from, end);
      to += length;
      continue;
    }
    for (let position = from; position < end; position += blocks.block)
      for (let i = 0; i < real; i++) data[to++] = data[position + i]!;
  }
  return data.subarray(0, to);
}

function blocksOf({ dims }: TensorValue, { blocked }: WholeTensor): Blocks | undefined {
  if (!blocked) return undefined;
  const [images = 1, filled = 1] = dims;
  const each = filled / blocked.block;
  return { ...blocked, each, count: images * each, filled: blocked.channels < filled };
}
