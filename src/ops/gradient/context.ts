/**
 * What an operator's gradient is given: the node, the gradients that flow back into its outputs, and a place to put those of
 * its inputs. All shapes are static and known: `qat/tracing.ts` read them from a real run.
 */
import { qatErrors } from '../../errors/qat.ts';
import type { Emitter } from '../../graph/emitter.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';

/** A linear map along one axis, from `from` to `to` elements: [to, from] in row-major order. */
export interface AxisMap {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  readonly matrix: Float32Array;
}

export interface GradientContext {
  readonly node: Node;
  readonly emit: Emitter;
  /** The gradient of the loss with respect to output `index`; undefined where the loss does not depend on it. */
  gradient(index: number): Value | undefined;
  /** For an operator that is a linear map along each axis by itself: the maps, if they were looked up before. */
  readonly maps: readonly AxisMap[] | undefined;
  /** True when a gradient is wanted for this value. */
  needs(value: Value): boolean;
  /** Adds to the gradient of a value, which has the same shape. */
  add(value: Value, gradient: Value): void;
}

/** The gradient of the only output that has one. */
export function dyOf(context: GradientContext): Value {
  return context.gradient(0)!;
}

/** Adds to the gradient of input `index`, when it is wanted; only then is `make` called. */
export function give(context: GradientContext, index: number, make: (input: Value) => Value): void {
  const input = context.node.input(index);
  if (input && context.needs(input)) context.add(input, make(input));
}

/** The same for a gradient in the shape of the output, along which the input may have been broadcast. */
export function giveBroadcast(context: GradientContext, index: number, make: (input: Value) => Value): void {
  const { emit, node } = context;
  give(context, index, (input) => emit.unbroadcast(make(input), staticDims(node.output()!), staticDims(input)));
}

/** @throws QAT_SHAPE when the shape is unknown or depends on the sample */
export function staticDims(value: Value): number[] {
  const dims = value.dims;
  if (!dims?.every((dim) => typeof dim === 'number')) throw qatErrors.unknownShape(value.name);
  return [...(dims as number[])];
}

/** A negative axis counts from the end. */
export function wrapAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Axes as an attribute in old operator sets, as a constant input in new ones; undefined when neither is there. */
export function axesOf(node: Node, index: number, rank: number): number[] | undefined | string {
  const input = node.input(index);
  if (input && !node.constant(index)) return 'its axes are computed at run time';
  const axes = input ? node.constant(index)!.ints() : node.ints('axes');
  return axes?.map((axis) => wrapAxis(axis, rank));
}
