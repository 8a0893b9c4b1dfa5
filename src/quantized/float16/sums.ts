/**
 * Sums over many elements leave float16 before the mean, the root or the quotient that is wanted of them does. Kernels that add in
 * float16 (WebGPU, NPUs) then give infinity. Normalizations are not asked: their first stage is float32 by definition (stash_type).
 */
import type { Facts } from '../../graph/facts.ts';
import type { Node } from '../../graph/node.ts';
import { own } from '../../graph/names.ts';
import { integersOf } from '../../graph/shapes/size.ts';
import type { Interval } from '../../ops/op.ts';
import { largestHalf } from './range.ts';

type Kind = 'sum' | 'squares' | 'exponentials';

const kinds: Readonly<Record<string, Kind>> = {
  ReduceSum: 'sum',
  ReduceMean: 'sum',
  ReduceL1: 'sum',
  GlobalAveragePool: 'sum',
  AveragePool: 'sum',
  ReduceL2: 'squares',
  ReduceSumSquare: 'squares',
  Softmax: 'exponentials',
  LogSoftmax: 'exponentials',
  ReduceLogSumExp: 'exponentials',
};

/** Why the node's inner sum does not fit, as far as ranges and shapes tell. */
export function overflowingSum(node: Node, ranges: ReadonlyMap<string, Interval>, facts: Facts): string | undefined {
  const kind = node.domain === '' ? own(kinds, node.opType) : undefined;
  const count = kind && elementsOf(node, facts);
  if (!kind || count === undefined) return undefined;
  const largest = largestSum(node, kind, count, ranges);
  if (largest <= largestHalf) return undefined;
  return `it adds up ${count} elements, to as much as ${largest.toPrecision(3)}, beyond float16`;
}

function largestSum(node: Node, kind: Kind, count: number, ranges: ReadonlyMap<string, Interval>): number {
  // Softmax subtracts the largest first: each exponential is 1 at most.
  if (kind === 'exponentials') return count;
  const range = ranges.get(node.input(0)!.name);
  if (!range) return 0;
  const magnitude = Math.max(-range.min, range.max);
  const most = count * (kind === 'squares' ? magnitude ** 2 : magnitude);
  // What has one sign adds up to no more than the result that was seen.
  const result = ranges.get(node.output()!.name);
  if (!result || (range.min < 0 && !/^ReduceL[12]$|^ReduceSumSquare$/.test(node.opType))) return most;
  const seen = Math.max(-result.min, result.max);
  if (node.is('ReduceL2')) return Math.min(most, seen ** 2);
  return Math.min(most, node.is('ReduceMean', 'GlobalAveragePool', 'AveragePool') ? seen * count : seen);
}

/** How many elements one result is made of; undefined where the shape does not tell. */
function elementsOf(node: Node, facts: Facts): number | undefined {
  const dims = facts.of(node.input(0)).dims;
  if (node.is('AveragePool')) return product(node.ints('kernel_shape') ?? []);
  if (!dims) return undefined;
  const sizes = axesOf(node, dims.length)?.map((axis) => dims[axis < 0 ? axis + dims.length : axis]);
  return sizes?.every((size) => typeof size === 'number') ? product(sizes) : undefined;
}

function axesOf(node: Node, rank: number): readonly number[] | undefined {
  const all = Array.from({ length: rank }, (_, axis) => axis);
  if (node.is('GlobalAveragePool')) return all.slice(2);
  if (node.is('Softmax', 'LogSoftmax')) return [node.int('axis', -1)];
  if (!node.attributes.has('axes') && !node.input(1)) return node.int('noop_with_empty_axes', 0) === 1 ? [] : all;
  return integersOf(node, 'axes', 1);
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
