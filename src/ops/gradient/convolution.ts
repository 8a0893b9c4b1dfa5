/** What Conv, ConvTranspose and the pools have in common: how windows lie on the image, and the gradients of a convolution. */
import { axesBut, type Emitter } from '../../graph/emitter.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import { dataType } from '../../onnx/data-types.ts';
import { chooseWeightForm } from './weight-forms.ts';

/** Windows of a kernel on an image; one number per spatial axis. */
export interface Windows {
  /** The image, and the number of windows on it. */
  readonly image: readonly number[];
  readonly count: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  /**
   * Zeros behind the image up to the end of the last window; negative when that ends before the image does, whatever padding
   * the node declares.
   */
  readonly ends: readonly number[];
}

/** A convolution from the image [n, channels, ...image] to [n, filters, ...count]. */
export interface Convolution extends Windows {
  readonly batch: number;
  readonly channels: number;
  readonly filters: number;
  readonly group: number;
}

/** @param image spatial dimensions that the kernel slides over; @param count of its results */
export function windowsOf(
  node: Node,
  image: readonly number[],
  count: readonly number[],
  kernel: readonly number[],
): Windows {
  const ones = kernel.map(() => 1);
  const strides = node.ints('strides') ?? ones;
  const dilations = node.ints('dilations') ?? ones;
  const spans = kernel.map((k, i) => (count[i]! - 1) * strides[i]! + dilations[i]! * (k - 1) + 1);
  const begins = beginnings(node, spans, image);
  const ends = spans.map((span, i) => span - image[i]! - begins[i]!);
  return { image, count, kernel, strides, dilations, begins, ends };
}

function beginnings(node: Node, spans: readonly number[], image: readonly number[]): number[] {
  const mode = node.string('auto_pad', 'NOTSET');
  const sized = node.ints('output_shape') !== undefined;
  if (!mode.startsWith('SAME') && !sized) return node.ints('pads')?.slice(0, spans.length) ?? spans.map(() => 0);
  // What does not divide by two goes to the end (UPPER) or to the beginning (LOWER, and sizes given as output_shape).
  return spans.map((span, i) => {
    const total = Math.max(0, span - image[i]!);
    return mode === 'SAME_UPPER' ? total >> 1 : total - (total >> 1);
  });
}

/** dX of y = conv(x, w): [n, channels, ...image]. @param dy [n, filters, ...count], w [filters, channels / group, ...kernel] */
export function inputGradient(emit: Emitter, conv: Convolution, dy: Value, w: Value): Value {
  return conv.strides.every((stride) => stride === 1)
    ? flippedConv(emit, conv, dy, w)
    : transposedConv(emit, conv, dy, w);
}

/** For stride 1: a convolution with the kernel turned around and its channels exchanged. Half the time of ConvTranspose. */
function flippedConv(emit: Emitter, conv: Convolution, dy: Value, w: Value): Value {
  const { kernel, dilations, begins, ends, count, group } = conv;
  const around = (pads: readonly number[]): number[] => pads.map((pad, i) => dilations[i]! * (kernel[i]! - 1) - pad);
  // Padding beyond the kernel's reach made windows without any image: their gradients are cut off.
  const pads = [...around(begins), ...around(ends)];
  const cut = pads.map((pad) => Math.max(0, -pad));
  let from = dy;
  if (cut.some((n) => n > 0)) {
    const rank = kernel.length;
    const axes = kernel.map((_, i) => i + 2);
    const starts = axes.map((_, i) => cut[i]!);
    const stops = axes.map((_, i) => count[i]! - cut[i + rank]!);
    from = emit.slice(dy, axes, starts, stops);
  }
  const weight = exchanged(emit, conv, flipped(emit, w, kernel));
  // Known to whoever picks kernels by the shape of weights.
  weight.setType(dataType('float32').code, [conv.channels, conv.filters / group, ...kernel]);
  return emit.op('Conv', [from, weight], {
    kernel_shape: kernel,
    dilations,
    pads: pads.map((pad) => Math.max(0, pad)),
    group,
  });
}

function flipped(emit: Emitter, w: Value, kernel: readonly number[]): Value {
  const axes = kernel.flatMap((k, i) => (k > 1 ? [i + 2] : []));
  if (axes.length === 0) return w;
  const [last, beyond] = [axes.map(() => -1), axes.map(() => -(2 ** 31))];
  return emit.slice(w, axes, last, beyond, last);
}

/** [filters, channels / group, ...] → [channels, filters / group, ...]. */
function exchanged(emit: Emitter, { channels, filters, group, kernel }: Convolution, w: Value): Value {
  const [m, c] = [filters / group, channels / group];
  const axes = kernel.map((_, i) => i);
  if (group === 1) return emit.transpose(w, [1, 0, ...axes.map((i) => i + 2)]);
  if (m === 1 && c === 1) return w;
  const grouped = emit.reshape(w, [group, m, c, ...kernel]);
  const swapped = emit.transpose(grouped, [0, 2, 1, ...axes.map((i) => i + 3)]);
  return emit.reshape(swapped, [channels, m, ...kernel]);
}

function transposedConv(emit: Emitter, conv: Convolution, dy: Value, w: Value): Value {
  const { kernel, strides, dilations, begins, ends, group } = conv;
  // A negative end is image that no window reached: it gets zeros.
  return emit.op('ConvTranspose', [dy, w], {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...begins, ...ends.map((pad) => Math.max(0, pad))],
    output_padding: ends.map((pad) => Math.max(0, -pad)),
    group,
  });
}

/** dW of y = conv(x, w): [filters, channels / group, ...kernel]. @param x [n, channels, ...image], dy [n, filters, ...count] */
export function weightGradient(emit: Emitter, conv: Convolution, x: Value, dy: Value): Value {
  return chooseWeightForm(conv)(emit, conv, x, dy);
}

/** The gradient of a bias per channel: [channels]. @param dy [n, channels, ...spatial] of this rank */
export function biasGradient(emit: Emitter, dy: Value, rank: number): Value {
  return emit.sum(dy, axesBut(rank, 1), false);
}
