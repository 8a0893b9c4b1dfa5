/** The contract of a rule: the shape of an operator's output from what is known of its inputs. */
import type { Node } from '../node.ts';
import type { Size, Vector } from './size.ts';

/** An axis of which nothing is known is undefined. */
export type Shape = readonly (Size | undefined)[];

export interface Known {
  readonly node: Node;
  /** Which output is asked for. */
  readonly output: number;
  /** Shape of an input; undefined when its rank is not known, or there is none. */
  dims(index: number): readonly Size[] | undefined;
  vector(index: number): Vector | undefined;
  /** Integers that are an attribute in old opsets and an input since, if all of them are known. */
  ints(attribute: string, index: number): number[] | undefined;
}

/** Undefined when not even the rank follows. */
export type ShapeRule = (known: Known) => Shape | undefined;

/** A table row for each of the operators, which stand in one word list. */
export const table = (rows: readonly (readonly [ShapeRule, string])[]): [string, ShapeRule][] =>
  rows.flatMap(([rule, opTypes]) => opTypes.split(' ').map((opType): [string, ShapeRule] => [opType, rule]));

export const first: ShapeRule = ({ dims }) => dims(0);

/** Every axis unknown. */
export const ofRank = (rank: number | undefined): Shape | undefined =>
  rank === undefined || rank < 0 ? undefined : Array.from({ length: rank }, () => undefined);

/** An axis counted from the front; undefined when it is none. */
export function axisOf(axis: number, rank: number): number | undefined {
  const counted = axis < 0 ? axis + rank : axis;
  return counted >= 0 && counted < rank ? counted : undefined;
}

/** f of the sizes when all of them are numbers. */
export function compute(sizes: readonly (Size | undefined)[], f: (...numbers: number[]) => number): number | undefined {
  return sizes.every((size) => typeof size === 'number') ? f(...sizes) : undefined;
}

/** The size that two axes are broadcast to. */
export function broadcastSize(a: Size | undefined, b: Size | undefined): Size | undefined {
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  // Next to a number beyond 1, an unknown size is that number or 1.
  if (typeof a === 'number') return a > 1 ? a : undefined;
  return typeof b === 'number' && b > 1 ? b : undefined;
}

export function broadcastShapes(shapes: readonly (Shape | undefined)[]): Shape | undefined {
  if (shapes.length === 0 || shapes.includes(undefined)) return undefined;
  return (shapes as Shape[]).reduce((a, b) => {
    const rank = Math.max(a.length, b.length);
    const at = (shape: Shape, axis: number): Size | undefined =>
      axis + shape.length < rank ? 1 : shape[axis + shape.length - rank];
    return Array.from({ length: rank }, (_, axis) => broadcastSize(at(a, axis), at(b, axis)));
  });
}
