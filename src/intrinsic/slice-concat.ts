/**
 * Slice of a Concat that takes one of its parts as a whole: the part itself. Detection heads join centers and sizes to boxes,
 * and take them apart again for the corners.
 */
import { createFacts, type Facts } from '../graph/facts.ts';
import type { Node } from '../graph/node.ts';
import { integersOf } from '../graph/shapes/size.ts';
import { axisOf } from '../graph/shapes/rule.ts';
import type { Value } from '../graph/value.ts';
import { removeCopy } from './edit.ts';
import type { Pass } from './pass.ts';

export const sliceConcat: Pass = {
  name: 'slice-concat',
  summary: 'a Slice that takes one whole part of a Concat is that part',
  run(model, context) {
    const facts = createFacts();
    let changed = false;
    for (const node of model.allNodes()) {
      const part = node.is('Slice') && partOf(node, facts);
      if (part && removeCopy(node, part, context)) changed = true;
    }
    return changed;
  },
};

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
