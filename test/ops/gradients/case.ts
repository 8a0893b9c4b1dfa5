/** How a gradient test is written: nodes from named float inputs to `z`, and inputs that keep away from kinks. */
import type { NodeProto } from '../../../src/onnx/messages.ts';
import { node, type AttributeSpec, type Constant } from '../../support/build.ts';

export interface Input {
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

export interface GradientCase {
  readonly nodes: readonly NodeProto[];
  /** Float inputs: each gets its gradient checked, weights and biases included. */
  readonly inputs: Readonly<Record<string, Input>>;
  readonly initializers?: Readonly<Record<string, Constant>>;
  readonly opset?: number;
  /** Default ['z']. */
  readonly outputs?: readonly string[];
  /** Step of the differences; default 2^-5. Functions that curve strongly want less, long sums more. */
  readonly step?: number;
}

export type Cases = Readonly<Record<string, GradientCase>>;

/** One node from the inputs, in the order in which they are listed, to `z`. */
export function single(
  opType: string,
  inputs: Readonly<Record<string, Input>>,
  attributes: Readonly<Record<string, AttributeSpec>> = {},
  more: Partial<GradientCase> & { readonly constants?: readonly string[] } = {},
): GradientCase {
  const { constants = [], ...rest } = more;
  return { nodes: [node(opType, [...Object.keys(inputs), ...constants], ['z'], attributes)], inputs, ...rest };
}

/** Fixed pseudo-random numbers in [low, high). */
export function uniform(dims: readonly number[], low = -1, high = 1): Input {
  let state = (dims.reduce((hash, dim) => hash * 31 + dim, 7) * 7919 + Math.round(high * 1000)) % 2147483647;
  const next = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let i = 0; i < 10; i++) next();
  const size = dims.reduce((product, dim) => product * dim, 1);
  return { dims, data: Array.from({ length: size }, () => low + (high - low) * next()) };
}

/**
 * Distinct numbers in random order, `gap` apart and half of that away from 0 and its multiples of `gap`: no step of a
 * difference changes which is the largest, or crosses a kink at 0.
 */
export function spaced(dims: readonly number[], gap = 0.25): Input {
  const order = uniform(dims).data.map((key, index) => ({ key, index }));
  order.sort((a, b) => a.key - b.key);
  const data = Array.from({ length: order.length }, () => 0);
  order.forEach(({ index }, rank) => (data[index] = (rank - Math.floor(order.length / 2) + 0.5) * gap));
  return { dims, data };
}
