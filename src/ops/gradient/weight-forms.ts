/**
 * The gradient of a convolution's weight in three forms; which is fastest depends on the shape (measured on x64, ratios in
 * brackets). All gather what each kernel position has seen and multiply it with the output's gradient, as
 * `[channels, pixels] · [pixels, filters]` per sample and group, and sum over samples.
 */
import type { Emitter } from '../../graph/emitter.ts';
import type { Value } from '../../graph/value.ts';
import { elementCount } from '../../onnx/data-types.ts';
import type { Convolution } from './convolution.ts';

/** x [n, channels, ...image], dy [n, filters, ...count] → [filters, channels / group, ...kernel]. */
export type WeightForm = (emit: Emitter, conv: Convolution, x: Value, dy: Value) => Value;

/** The one place that chooses. */
export function chooseWeightForm(conv: Convolution): WeightForm {
  const { kernel, strides, begins, ends, channels, group, image } = conv;
  const plain = [...begins, ...ends].every((pad) => pad === 0) && strides.every((stride) => stride === 1);
  if (plain && kernel.every((k) => k === 1)) return pointwise;
  const depthwise = group > 1 && group === channels;
  const strided = strides.some((stride) => stride > 1);
  // Depthwise: the taps' products are one pixel row each; on small maps one convolution gathers them 2 to 3 times faster.
  const small = elementCount(image) <= 16 * 16;
  return strided || channels <= 4 || (depthwise && small) ? gathered : taps;
}

/** A 1×1 convolution is a matrix product. */
const pointwise: WeightForm = (emit, conv, x, dy) => product(emit, conv, columns(emit, conv, x, 1), dy);

/**
 * Kernel position by kernel position: a slice of the padded image, strided like the windows. No copy of the image per position
 * is ever held, so memory stays that of one slice.
 */
const taps: WeightForm = (emit, conv, x, dy) => {
  const { batch, filters, group, channels, kernel, strides, dilations, count, begins, ends } = conv;
  const axes = kernel.map((_, i) => i + 2);
  const padded = emit.pad(x, [0, 0, ...begins, 0, 0, ...ends.map((pad) => Math.max(0, pad))]);
  const right = rows(emit, conv, dy);
  const products = positions(kernel).map((position) => {
    const starts = position.map((k, i) => k * dilations[i]!);
    const stops = starts.map((start, i) => start + (count[i]! - 1) * strides[i]! + 1);
    const seen = emit.slice(padded, axes, starts, stops, strides);
    const left = emit.reshape(seen, [batch, group, channels / group, elementCount(count)]);
    return emit.sum(emit.op('MatMul', [left, right]), [0], true);
  });
  // [positions, group, channels / group, filters / group]
  const all = emit.op('Concat', products, { axis: 0 });
  return emit.reshape(emit.transpose(all, [1, 3, 2, 0]), [filters, channels / group, ...kernel]);
};

/** All kernel positions at once: a depthwise convolution whose kernels are the positions copies them into channels. */
const gathered: WeightForm = (emit, conv, x, dy) => {
  const { channels, kernel, strides, dilations, begins, ends } = conv;
  const size = elementCount(kernel);
  const identity = new Float32Array(channels * size * size);
  for (let i = 0; i < channels * size; i++) identity[i * size + (i % size)] = 1;
  const seen = emit.op('Conv', [x, emit.floats([channels * size, 1, ...kernel], identity)], {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...begins, ...ends.map((pad) => Math.max(0, pad))],
    group: channels,
  });
  return product(emit, conv, columns(emit, conv, seen, size), dy);
};

/** @param size kernel positions per channel. @returns [n, group, channels / group · size, pixels] */
function columns(emit: Emitter, { batch, group, channels, count }: Convolution, x: Value, size: number): Value {
  return emit.reshape(x, [batch, group, (channels / group) * size, elementCount(count)]);
}

/** @returns [n, group, pixels, filters / group] */
function rows(emit: Emitter, { batch, group, filters, count }: Convolution, dy: Value): Value {
  return emit.swapLast(emit.reshape(dy, [batch, group, filters / group, elementCount(count)]), 4);
}

function product(emit: Emitter, conv: Convolution, left: Value, dy: Value): Value {
  const sum = emit.sum(emit.op('MatMul', [left, rows(emit, conv, dy)]), [0], false);
  const { filters, channels, group, kernel } = conv;
  return emit.reshape(emit.swapLast(sum, 3), [filters, channels / group, ...kernel]);
}

/** Every kernel position, in row-major order. */
function positions(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (heads, k) => heads.flatMap((head) => Array.from({ length: k }, (_, i) => [...head, i])),
    [[]],
  );
}
