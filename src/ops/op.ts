/**
 * What qdq knows of an operator, one file per operator or family. Shared code asks the operator and never branches on its
 * name. Here: how it quantizes, and its gradient. A quantization rule speaks of inputs by position; whether the node really runs
 * in int8 is the planner's decision, because that depends on its neighbours.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import type { GradientContext } from './gradient/context.ts';

export interface Interval {
  readonly min: number;
  readonly max: number;
}

/** An input that enters the int8 kernel as codes. Inputs that are not listed (shapes, axes, …) stay as they are. */
export interface Operand {
  readonly index: number;
  /**
   * activation: quantized with the activation scheme, also when it is constant;
   * weight: a constant, quantized with the weight scheme;
   * bias: a constant, int32 at (scale of operand 0) × (scale of the weight).
   */
  readonly role: 'activation' | 'weight' | 'bias';
  /** Weight only: the axis that may have one scale per channel. Absent: only one scale for the whole tensor. */
  readonly axis?: number;
  /**
   * Weight only: the constant laid out as [channels, reduction], reduction in the order in which the int8 kernel of x64 CPUs
   * multiplies pairs; see quantized/weights.ts.
   */
  readonly layout?: WeightLayout;
}

/**
 * How a weight tensor lies: [M, C, ...] of Conv, [N, K] rows or [K, N] columns of a matrix; a table is not multiplied: its rows
 * are picked as codes and dequantized behind.
 */
export type WeightLayout = 'conv' | 'rows' | 'columns' | 'table';

export type OutputRule =
  /** Parameters of its own, from the observed range. `within`: what no value ever leaves. */
  | { readonly kind: 'observe'; readonly within?: Interval }
  /** The same parameters as this input: the node only moves or selects values. */
  | { readonly kind: 'share'; readonly input: number }
  /** The range follows from the mathematics. */
  | { readonly kind: 'fixed'; readonly range: Interval };

export interface QuantizeRule {
  /**
   * anchor: worth running in int8 by itself (it multiplies weights);
   * follow: runs in int8 between int8 neighbours, else stays float.
   */
  readonly kind: 'anchor' | 'follow';
  readonly operands: readonly Operand[];
  readonly output: OutputRule;
  /** A sum of its operands, which a kernel with weights may add to its own result. */
  readonly sum?: boolean;
  /** The int8 kernel can write float, so an output that is only read in float needs no quantizer. */
  readonly floatOutput?: boolean;
}

export interface OpSpec {
  /** Operator types of the default domain that this file answers for. */
  readonly types: readonly string[];
  /** The rule for this node, or the reason why it has no int8 form. Absent: qdq has no int8 form of the operator. */
  quantize?(node: Node): QuantizeRule | string;
  /** For an operator with weights: how a constant of this rank in their place is quantized. */
  weight?(node: Node, rank: number): Operand;
  /**
   * For an operator that moves values and that runtimes do not fuse between quantizers, although they run it on codes of 8
   * bits since this version of the default operator set: `apply` makes the node move codes, among which `zero` (a scalar
   * constant) stands for 0.
   */
  readonly moveCodes?: { readonly since: number; apply(node: Node, zero: Value): void };
  /** For an operator that limits its input to an interval: the interval, or undefined when it is not constant. */
  clamp?(node: Node): Interval | undefined;
  /** Inputs that hold what training changes when they are constant: weights, biases, factors. */
  learnable?(node: Node): readonly number[];
  /**
   * Appends the gradients of the inputs for which `context.needs` them, or returns the reason why this node has none. Absent:
   * the operator has no gradient.
   */
  gradient?(context: GradientContext): string | void;
  /** The values whose gradients that rule computes, when they are not the node's float inputs. */
  gradientSources?(node: Node): readonly Value[];
}

/**
 * A rule for operators without an integer kernel: float between DequantizeLinear and QuantizeLinear. A convolution writes codes in
 * any case, and what follows can then stay in int8 (measured: 5 to 7 % in squeeze-excite blocks, no loss where nothing
 * follows); a product can write float, and the conversions would cost and win nothing.
 */
export function island(node: Node, output: OutputRule, inputs: readonly number[]): QuantizeRule | string {
  const layer = inputs.map((index) => node.input(index)?.producer).find((producer) => producer?.is('Gemm', 'MatMul'));
  return layer
    ? `onnxruntime has no int8 ${node.opType} kernel, and '${layer.label}' can write float`
    : follow(output, inputs);
}

/** A rule for operators that treat all listed inputs alike. */
export function follow(output: OutputRule, inputs: readonly number[]): QuantizeRule {
  return { kind: 'follow', output, operands: inputs.map((index) => ({ index, role: 'activation' })) };
}

/** The rule of the convolutions: constant weight and bias. */
export function convolutionRule(node: Node, weight: Operand): QuantizeRule | string {
  if (!node.constant(1)) return 'its weight is computed at run time';
  const operands: Operand[] = [{ index: 0, role: 'activation' }, weight];
  if (node.input(2)) {
    if (!node.constant(2)) return 'its bias is computed at run time';
    operands.push({ index: 2, role: 'bias' });
  }
  return { kind: 'anchor', operands, output: { kind: 'observe' } };
}

/** The rule of operators that only move, repeat or select values: the output has the codes, scale and zero point of the input. */
export function sharesCodes(): QuantizeRule {
  return follow({ kind: 'share', input: 0 }, [0]);
}
