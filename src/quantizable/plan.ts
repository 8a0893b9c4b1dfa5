/**
 * The plan: which tensors carry a quantizer, which of them share one, which nodes form int8 regions, and why every other node
 * stays float. Plain JSON, so that it can be written, read, diffed and explained; ranges come later.
 */
import type { FixedParameters, Scheme, Spelling } from '../backends/targets/target.ts';
import type { Interval, WeightLayout } from '../ops/op.ts';

/** A quantized activation (or a constant that stands in the place of one). */
export interface TensorPlan {
  readonly name: string;
  /** observe: needs a calibrated range. constant: its range is its content. fixed: `range` or `parameters`. share: uses `with`'s. */
  readonly source: 'observe' | 'constant' | 'fixed' | 'share';
  readonly with?: string;
  readonly range?: Interval;
  /** What the target's kernel insists on. */
  readonly parameters?: FixedParameters;
  /** True when an int8 node produces it, so that every reader takes the dequantized value. */
  readonly int8Producer: boolean;
}

export interface WeightPlan {
  readonly name: string;
  /** Axis with one scale per channel; absent: one scale. */
  readonly axis?: number;
  /** See Operand.layout. */
  readonly layout?: WeightLayout;
}

/** A tensor as one input of a node. */
export interface Operand {
  readonly tensor: string;
  /** Input position. */
  readonly input: number;
}

/** Nodes that run as one int8 kernel: quantizers stand on its edges only. */
export interface RegionPlan {
  readonly node: string;
  readonly op: string;
  /** Name of the node's first output: node names need not be unique, tensor names are. */
  readonly tensor: string;
  /** Limiting activations behind it that the output quantizer can take over. */
  readonly clamps: readonly string[];
  readonly activations: readonly Operand[];
  readonly weight?: WeightPlan & { readonly input: number };
  /** Its scale is the scale of the first activation times the scale of the weight. */
  readonly bias?: Operand;
  readonly outputs: readonly string[];
  /** It works on the codes themselves, without quantizers around it: see OpSpec.moveCodes. */
  readonly onCodes?: true;
  /** False when the kernel writes float: the outputs carry no quantizer. */
  readonly quantizedOutput: boolean;
}

/** A weight that is kept in few bits for a node that runs in float. */
export interface StoredWeight {
  /** The node's first output. */
  readonly tensor: string;
  /** Input position. */
  readonly input: number;
  readonly weight: WeightPlan;
}

export interface FloatNode {
  readonly node: string;
  readonly op: string;
  readonly reason: string;
}

export interface Plan {
  readonly target: string;
  readonly scheme: Scheme;
  readonly spelling: Spelling;
  readonly tensors: readonly TensorPlan[];
  readonly weights: readonly WeightPlan[];
  readonly regions: readonly RegionPlan[];
  /** Weights in few bits of nodes that run in float. */
  readonly stored?: readonly StoredWeight[];
  readonly float: readonly FloatNode[];
}

/** Names of the tensors whose ranges must be observed, in graph order. */
export function observedTensors(plan: Plan): string[] {
  return plan.tensors.filter((tensor) => tensor.source === 'observe').map((tensor) => tensor.name);
}

/** One weight read along two axes needs two quantized copies. */
export function weightKey(weight: WeightPlan): string {
  return weight.axis === undefined ? weight.name : `${weight.name}@${weight.axis}`;
}
