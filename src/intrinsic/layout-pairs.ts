/**
 * Two nodes in a row that move elements and cancel or join: layout operators right behind one another, and a Slice of a Concat.
 */
import type { Facts } from '../graph/facts.ts';
import type { Node } from '../graph/node.ts';
import { integersOf } from '../graph/shapes/size.ts';
import { axisOf } from '../graph/shapes/rule.ts';
import type { Value } from '../graph/value.ts';
import { removeCopy, neededElsewhere, setConstant } from './edit.ts';
import { nodePass } from './pass.ts';

/**
 * Two nodes in a row that only lay elements out anew are one, or none: Transpose twice, Reshape of what was reshaped,
 * Squeeze and Unsqueeze of the same axes, Slice along one axis and then along another (x[:, :, ::2, ::2] as exporters write
 * it).
 */
export const layoutPairs = nodePass(
  'layout-pairs',
  'Transpose, Reshape, Squeeze, Unsqueeze and Slice right behind one another become one, or vanish',
  (second, { facts }, context) => {
    const first = second.input(0)?.producer;
    const x = first?.input(0);
    if (!first || !x) return false;
    const outcome = pairOf(first, second, facts);
    if (outcome === undefined) return false;
    if (outcome === 'inverse') return removeCopy(second, x, context);
    const labels = [first.label, second.label] as const;
    const reason = typeof outcome === 'string' ? outcome : neededElsewhere(first, second);
    if (typeof outcome === 'string' || reason !== undefined) {
      context.refused(labels[1], reason!);
      return false;
    }
    outcome();
    second.setInput(0, x);
    first.graph!.remove(first);
    context.applied(labels, labels[1]);
    return true;
  },
);

/** The two undo one another; or how to let the second do the work of both; or why it cannot; or no such pair. */
type Outcome = 'inverse' | (() => void) | string | undefined;

function pairOf(first: Node, second: Node, facts: Facts): Outcome {
  if (second.is('Transpose') && first.is('Transpose')) return transposes(first, second, facts);
  if (second.is('Reshape') && first.is('Reshape', 'Flatten', 'Squeeze', 'Unsqueeze')) return reshapes(first, second);
  if (second.is('Slice') && first.is('Slice')) return slices(first, second, facts);
  if (second.is('Squeeze') && first.is('Unsqueeze')) return sameAxes(first, second, facts, 1);
  if (second.is('Unsqueeze') && first.is('Squeeze')) return sameAxes(first, second, facts, 0);
  return undefined;
}

/** Axis i of the result is axis p2[i] of the middle, which is axis p1[p2[i]] of x. */
function transposes(first: Node, second: Node, facts: Facts): Outcome {
  const [p1, p2] = [first.ints('perm'), second.ints('perm')];
  const rank = p1?.length ?? p2?.length ?? facts.of(first.input(0)).rank;
  // Without a permutation the axes are reversed, and twice that is nothing whatever the rank.
  if (rank === undefined) return 'inverse';
  const reversed = Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const perm = (p2 ?? reversed).map((axis) => (p1 ?? reversed)[axis]!);
  return perm.every((axis, i) => axis === i) ? 'inverse' : () => second.setInts('perm', perm);
}

/** -1 follows from the number of elements, which stays; 0 copies an axis of the middle, which must be known. */
function reshapes(first: Node, second: Node): Outcome {
  const target = integersOf(second, 'shape', 1);
  if (!target) return undefined;
  if (second.int('allowzero', 0) !== 0 || !target.includes(0)) return () => undefined;
  const dims = target.map((size, axis) => (size === 0 ? copiedSize(first, axis) : size));
  const unknown = dims.indexOf(undefined);
  if (unknown >= 0) return `its target copies axis ${unknown} of '${second.input(0)!.name}', whose size is not known`;
  return () => {
    if (second.attributes.has('shape')) return second.setInts('shape', dims as number[]);
    const data = BigInt64Array.from(dims as number[], BigInt);
    return setConstant(second, 1, { type: 'int64', dims: [dims.length], data }, `${second.label}_shape`);
  };
}

/** The size of an axis of the result: a positive number, or 0 for "the same axis of x". */
function copiedSize(first: Node, axis: number): number | undefined {
  const declared = (first.output() as Value).dims?.[axis];
  if (typeof declared === 'number' && declared > 0) return declared;
  const size = first.is('Reshape') ? integersOf(first, 'shape', 1)?.[axis] : undefined;
  if (size === 0) return first.int('allowzero', 0) === 0 ? 0 : undefined;
  return size !== undefined && size > 0 ? size : undefined;
}

/** @param added 1 when the axes stand in a tensor that has them on top of those of x */
function sameAxes(first: Node, second: Node, facts: Facts, added: 0 | 1): Outcome {
  const lists = [first, second].map((node) => integersOf(node, 'axes', 1));
  const { rank } = facts.of(first.input(0));
  const sorted = lists.map((axes) => {
    const full = rank === undefined ? undefined : rank + added * (axes?.length ?? 0);
    return axes?.map((axis) => (axis < 0 && full !== undefined ? axis + full : axis)).sort((a, b) => a - b);
  });
  return sorted[0] && sorted[0].join() === sorted[1]?.join() ? 'inverse' : undefined;
}

/** Slices along different axes do not touch each other. */
function slices(first: Node, second: Node, facts: Facts): Outcome {
  const { rank } = facts.of(first.input(0));
  const [a, b] = [cutsOf(first, rank), cutsOf(second, rank)];
  if (!a || !b || a.axes.some((axis) => b.axes.includes(axis))) return undefined;
  return () => {
    const lists = [
      ['starts', a.starts, b.starts],
      ['ends', a.ends, b.ends],
      ['axes', a.axes, b.axes],
      ['steps', a.steps, b.steps],
    ] as const;
    lists.forEach(([name, ...parts], i) => {
      const values = parts.flat().map(toInt64);
      if (!second.input(1)) {
        // Slice had attributes, and no steps, before opset 10.
        if (name !== 'steps') second.setInts(name, values);
        return;
      }
      const data = BigInt64Array.from(values);
      setConstant(second, i + 1, { type: 'int64', dims: [data.length], data }, `${second.label}_${name}`);
    });
  };
}

/** "To the end" is the largest int64, which a float64 rounds up. It must stay that number: runtimes know it by its value. */
function toInt64(value: number): bigint {
  return value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(value);
}

type Cuts = Readonly<Record<'starts' | 'ends' | 'axes' | 'steps', readonly number[]>>;

/** Undefined when something of it is computed, or an axis is counted from the end of an unknown rank. */
function cutsOf(node: Node, rank: number | undefined): Cuts | undefined {
  const [starts, ends] = [integersOf(node, 'starts', 1), integersOf(node, 'ends', 2)];
  const absent = (name: string, index: number): boolean => !node.attributes.has(name) && !node.input(index);
  const axes = absent('axes', 3) ? starts?.map((_, i) => i) : integersOf(node, 'axes', 3);
  const steps = absent('steps', 4) ? starts?.map(() => 1) : integersOf(node, 'steps', 4);
  if (!starts || !ends || !axes || !steps) return undefined;
  const places = axes.map((axis) => (axis < 0 ? axis + (rank ?? 0) : axis));
  return places.some((axis) => axis < 0) ? undefined : { starts, ends, axes: places, steps };
}

/**
 * Slice of a Concat that takes one of its parts as a whole: the part itself. Detection heads join centers and sizes to boxes,
 * and take them apart again for the corners.
 */
export const sliceConcat = nodePass(
  'slice-concat',
  'a Slice that takes one whole part of a Concat is that part',
  (node, { facts }, context) => {
    const part = node.is('Slice') && partOf(node, facts);
    return part ? removeCopy(node, part, context) : false;
  },
);

function partOf(slice: Node, facts: Facts): Value | undefined {
  const concat = slice.input(0)?.producer;
  const rank = facts.of(slice.input(0)).rank;
  if (!concat?.is('Concat') || concat.graph !== slice.graph || rank === undefined) return undefined;
  const [starts, ends] = [integersOf(slice, 'starts', 1), integersOf(slice, 'ends', 2)];
  const given = integersOf(slice, 'axes', 3);
  const axes = given ?? (slice.input(3) || slice.attributes.has('axes') ? undefined : [0]);
  const steps = slice.input(4) ? integersOf(slice, '', 4) : [1];
  if (starts?.length !== 1 || ends?.length !== 1 || axes?.length !== 1 || steps?.[0] !== 1) return undefined;
  const axis = axisOf(axes[0]!, rank);
  if (axis === undefined || axisOf(concat.int('axis', 1), rank) !== axis) return undefined;
  const lengths = concat.inputs.map((input) => facts.of(input ?? undefined).dims?.[axis]);
  if (!lengths.every((length) => typeof length === 'number')) return undefined;
  const total = lengths.reduce((a, b) => a + b, 0);
  const clamp = (bound: number): number => Math.min(Math.max(bound < 0 ? bound + total : bound, 0), total);
  const [from, to] = [clamp(starts[0]!), clamp(ends[0]!)];
  let start = 0;
  for (const [index, length] of lengths.entries()) {
    if (start === from && start + length === to && length > 0) return concat.input(index);
    start += length;
  }
  return undefined;
}
