/** How far the results of a converted model may lie from those of its source, and where they lie farther. */
import type { Model } from '../../graph/model.ts';
import { isComparable, toNumbers } from '../../compare/metrics/metric.ts';
import type { TensorValue } from '../../onnx/data-types.ts';

export type Results = Readonly<Record<string, TensorValue>>;

export interface Deviation {
  /** An output of the model, or codes. */
  readonly name: string;
  readonly most: number;
  readonly allowed: number;
}

/**
 * Float results: sums in another order differ by some 2^-24 of their terms; 1e-4 of the range is what `fuse` allows for a whole
 * network. And a bias on the grid of its integer kernel is off by half a step of that grid, which adds up with none of the others
 * between two quantizers; a whole step leaves room for what follows (Softmax, Sigmoid and the like shrink it).
 */
export const floatBound = (range: number, biasStep: number): number => 1e-4 * range + biasStep;

/**
 * Codes: two float32 results that differ by a rounding fall on neighbouring codes when they lie on the border between those: 1. A bias
 * on its grid moves the result by up to half a step of that grid, and so the code by that much in its own steps, rounded up.
 */
export const codeBound = (scale: number, biasStep: number): number => Math.max(1, Math.ceil(biasStep / 2 / scale));

/**
 * Neighbouring codes are the exception: results that lie on a border, and those that a bias on its grid moved across one. Where more of
 * them differ, a kernel computes something else.
 */
export const meanCodeBound = (scale: number, biasStep: number): number => 0.1 + biasStep / 2 / scale;

export interface Difference {
  /** Largest difference. */
  readonly most: number;
  /** Mean of the differences. */
  readonly mean: number;
  /** Largest magnitude. */
  readonly range: number;
  /** Sums of squares, of differences and of what was expected. */
  readonly noise: number;
  readonly signal: number;
}

/** What is equal, infinities and NaN included, does not differ. Texts are equal or one apart, as numbers of classes are at least. */
export function differenceOf(a: TensorValue, b: TensorValue): Difference {
  if (a.type === 'string') return differenceOfTexts(a.data, b.data);
  if (!isComparable(a.type)) return { most: 0, mean: 0, range: 0, noise: 0, signal: 0 };
  const [x, y] = [toNumbers(a), toNumbers(b)];
  let [most, sum, range, noise, signal] = [0, 0, 0, 0, 0];
  if (x.length !== y.length) return { most: Infinity, mean: Infinity, range, noise: Infinity, signal };
  for (let i = 0; i < x.length; i++) {
    const [left, right] = [x[i]!, y[i]!];
    if (Math.abs(left) > range && Number.isFinite(left)) range = Math.abs(left);
    if (Number.isFinite(left)) signal += left ** 2;
    if (Object.is(left, right)) continue;
    const distance = Math.abs(left - right);
    const finite = Number.isNaN(distance) ? Infinity : distance;
    most = Math.max(most, finite);
    sum += finite;
    noise += finite ** 2;
  }
  return { most, mean: x.length > 0 ? sum / x.length : 0, range, noise, signal };
}

function differenceOfTexts(a: TensorValue['data'], b: TensorValue['data']): Difference {
  if (a.length !== b.length) return { most: Infinity, mean: Infinity, range: 1, noise: Infinity, signal: 0 };
  let different = 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) different++;
  return {
    most: Math.min(1, different),
    mean: different / Math.max(1, a.length),
    range: 1,
    noise: different,
    signal: 0,
  };
}

/** The scale of the quantizer that a graph output comes from, through nodes that only move it; undefined when it is computed in float. */
export function outputScale(model: Model, name: string): number | undefined {
  let value = model.graph.outputs.find((output) => output.name === name);
  while (value?.producer?.is('Reshape', 'Transpose', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity'))
    value = value.producer.input(0);
  const scale = value?.producer?.is('DequantizeLinear') ? value.producer.constant(1) : undefined;
  return scale && scale.size > 0 ? scale.floats().reduce((least, each) => Math.max(least, each), 0) : undefined;
}
