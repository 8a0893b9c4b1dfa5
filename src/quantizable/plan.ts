/**
 * The plan: which tensors carry a quantizer, which of them share one, which nodes form int8 regions, and why every other node
 * stays float. Plain JSON, so that it can be written, read, diffed and explained; ranges come later.
 */
import type {
  ActivationType,
  FixedParameters,
  Scheme,
  QdqEncoding,
  WeightRange,
  WeightType,
} from '../backends/targets/target.ts';
import type { Interval, WeightLayout } from '../ops/op.ts';
import type { Reach } from './masked.ts';

/** What an override says of activations. */
export interface ActivationScheme {
  readonly type: ActivationType;
  readonly symmetric: boolean;
}

/** What an override says of a weight; whether it has a scale per channel, its axis says. */
export interface WeightScheme {
  readonly type: WeightType;
  readonly range: WeightRange;
  readonly observer?: string;
}

/** A quantized activation (or a constant that stands in the place of one). */
export interface TensorPlan {
  readonly name: string;
  /** observe: needs a calibrated range. constant: its range is its content. fixed: `range` or `parameters`. share: uses `with`'s. */
  readonly source: 'observe' | 'constant' | 'fixed' | 'share';
  readonly with?: string;
  /** share: the scheme in which `with` is read, where that is not its own. */
  readonly withAs?: ActivationScheme;
  /** Absent: the plan's scheme. */
  readonly as?: ActivationScheme;
  /** Schemes in which some nodes read it besides its own: a second quantizer for each. */
  readonly conversions?: readonly ActivationScheme[];
  readonly range?: Interval;
  /** constant, read on the way to a Softmax: how far it can matter to each of its readers; its range goes no further. */
  readonly reach?: readonly Reach[];
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
  /** Absent: the plan's scheme. */
  readonly as?: WeightScheme;
}

/** A tensor as one input of a node. */
export interface Operand {
  readonly tensor: string;
  /** Input position. */
  readonly input: number;
  /** The scheme in which it is read, where that is not the tensor's own: one of its conversions. */
  readonly as?: ActivationScheme;
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
  /** The format it is written in, where that is not the plan's. */
  readonly format?: string;
  /** The overrides that made it so, as the user wrote them. */
  readonly override?: string;
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

/** With what is needed to see to it that it really stays float. */
export interface PlannedFloat extends FloatNode {
  /** Name of its first output; absent where the node was quantized already, by whoever made the model. */
  readonly tensor?: string;
  /** The user named it: it is not to work on codes even where that changes no value. */
  readonly named?: true;
}

export interface Plan {
  readonly target: string;
  readonly scheme: Scheme;
  readonly encoding: QdqEncoding;
  readonly tensors: readonly TensorPlan[];
  readonly weights: readonly WeightPlan[];
  readonly regions: readonly RegionPlan[];
  /** Weights in few bits of nodes that run in float. */
  readonly stored?: readonly StoredWeight[];
  readonly float: readonly PlannedFloat[];
  /** Of a model in several formats: the plan of each, by the key of its form. What stands above is all of them together. */
  readonly parts?: readonly { readonly key: string; readonly plan: Plan }[];
}

/** What files and users are told of it. */
export const toFloatNode = ({ node, op, reason }: PlannedFloat): FloatNode => ({ node, op, reason });

export function activationScheme(
  { scheme }: Pick<Plan, 'scheme'>,
  { as }: { readonly as?: ActivationScheme },
): ActivationScheme {
  return as ?? { type: scheme.activationType, symmetric: scheme.activationSymmetric };
}

/** Names the quantizer by which an operand is read, and the range that calibration may have for it alone. */
export function quantizerKey({ tensor, as }: Pick<Operand, 'tensor' | 'as'>): string {
  return as ? `${tensor}@${as.type}${as.symmetric ? '=' : ''}` : tensor;
}

/** Names of the tensors whose ranges must be observed, in graph order. */
export function observedTensors(plan: Plan): string[] {
  return plan.tensors.filter((tensor) => tensor.source === 'observe').map((tensor) => tensor.name);
}

/** One weight read along two axes, or in two types, needs two quantized copies. */
export function weightKey({ name, axis, as }: WeightPlan): string {
  const scheme = as === undefined ? '' : `@${as.type} ${as.range} ${as.observer ?? ''}`;
  return `${name}${axis === undefined ? '' : `@${axis}`}${scheme}`;
}
