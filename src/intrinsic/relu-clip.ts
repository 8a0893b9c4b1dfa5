/**
 * Relu and Clip each limit a value to an interval, and two in a row to a third one: the pair becomes the one node that
 * says so. clip(clip(x, a, b), c, d) = clip(x, clip(a, c, d), clip(b, c, d)), for a ≤ b and c ≤ d.
 */
import type { Node } from '../graph/node.ts';
import { bypass } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import { absorb, doubles, isFloatType } from './edit.ts';
import { rulePass } from './pass.ts';

export const reluClip = rulePass('relu-clip', 'consecutive Relu and Clip become one', (second, { opset }) => {
  const first = second.input(0)?.producer;
  if (!first?.is('Relu', 'Clip') || !second.is('Relu', 'Clip')) return undefined;
  return { nodes: [first, second], apply: () => merge(first, second, opset) };
});

/** A limit, with the constant that holds it; no constant for the 0 of Relu, for attributes and for absent limits. */
interface Limit {
  readonly at: number;
  readonly value: Value | undefined;
}

interface Interval {
  readonly min: Limit;
  readonly max: Limit;
}

/**
 * A limit that is left out is the largest finite number of the type, so infinity is limited, to a number we need not
 * know.
 */
const largest: Limit = { at: Number.MAX_VALUE, value: undefined };
const lowest: Limit = { at: -Number.MAX_VALUE, value: undefined };

/** Merges, or returns the reason why not, having changed nothing. */
function merge(first: Node, second: Node, opset: number): string | undefined {
  const [a, b] = [intervalOf(first, opset), intervalOf(second, opset)];
  if (typeof a === 'string') return a;
  if (typeof b === 'string') return b;
  const both: Interval = { min: within(a.min, b), max: within(a.max, b) };
  const middle = first.output()!;
  if (same(both, a)) {
    return bypass(second, middle)
      ? undefined
      : `'${second.output()?.name}' and '${middle.name}' are both needed under their names`;
  }
  if (middle.soleUser !== second) return `'${middle.name}', the result of '${first.label}', is read elsewhere too`;
  if (first.graph !== second.graph) return `'${first.label}' stands in another graph`;
  const clip = second.is('Clip') ? second : first;
  if (!same(both, b)) setLimits(clip, both, opset);
  if (clip === first && !same(both, b)) {
    absorb(first, second);
  } else {
    second.setInput(0, first.input(0) ?? null);
    first.graph!.remove(first);
  }
  return undefined;
}

/** Limits are attributes before opset 11 and inputs since. */
function intervalOf(node: Node, opset: number): Interval | string {
  if (node.is('Relu')) return { min: { at: 0, value: undefined }, max: { at: Infinity, value: undefined } };
  let interval: Interval;
  if (opset < 11) {
    const [min, max] = [node.float('min'), node.float('max')];
    interval = {
      min: min === undefined ? lowest : { at: Math.fround(min), value: undefined },
      max: max === undefined ? largest : { at: Math.fround(max), value: undefined },
    };
  } else {
    const [min, max] = [limitOf(node, 1, lowest), limitOf(node, 2, largest)];
    if (typeof min === 'string') return min;
    if (typeof max === 'string') return max;
    interval = { min, max };
  }
  if (interval.min === lowest && interval.max === largest) return `'${node.label}' has no limits`;
  return interval.min.at <= interval.max.at ? interval : `the limits of '${node.label}' cross`;
}

function limitOf(node: Node, index: number, fallback: Limit): Limit | string {
  const value = node.input(index);
  if (!value) return fallback;
  if (!value.constant) return `the limit '${value.name}' of '${node.label}' is not constant`;
  const { type } = value.constant;
  if (!isFloatType(type.name)) return `the limit '${value.name}' of '${node.label}' is ${type.name}`;
  return { at: doubles(value.constant)[0] ?? NaN, value };
}

function within(limit: Limit, { min, max }: Interval): Limit {
  return limit.at < min.at ? min : limit.at > max.at ? max : limit;
}

function same(a: Interval, b: Interval): boolean {
  return a.min.at === b.min.at && a.max.at === b.max.at;
}

function setLimits(clip: Node, { min, max }: Interval, opset: number): void {
  const isLeftOut = (limit: Limit): boolean => Math.abs(limit.at) === Number.MAX_VALUE;
  if (opset < 11) {
    clip.attributes.clear();
    if (!isLeftOut(min)) clip.setFloat('min', min.at);
    if (!isLeftOut(max)) clip.setFloat('max', max.at);
    return;
  }
  const { type } = (clip.constant(1) ?? clip.constant(2))!;
  // A limit that no constant holds is the 0 of Relu.
  const zero = (): Value => {
    const data = new type.array(new ArrayBuffer(type.bits / 8));
    return clip.graph!.addInitializer(Tensor.of(`${clip.label}_zero`, type.name, [], data));
  };
  clip.setInput(1, isLeftOut(min) ? null : (min.value ?? zero()));
  clip.setInput(2, isLeftOut(max) ? null : (max.value ?? zero()));
}
