/**
 * The plan: what a configured format will write, and why every other node stays float. Each kind of plan holds what its format plans
 * and nothing else: QDQ the tensors that carry a quantizer and those that share one, dynamic and weight-only a list of nodes, float16
 * and bfloat16 what is stored in half the size. Plain JSON, so that it can be written, read, diffed and explained; ranges come later.
 */
import type {
  ActivationType,
  FixedParameters,
  Scheme,
  QdqEncoding,
  WeightRange,
  WeightType,
} from '../backends/targets/target.ts';
import type { Node } from '../graph/node.ts';
import type { Interval, WeightLayout } from '../ops/op.ts';
import type { Reach } from './attention.ts';

/** How an activation is quantized. */
export interface ActivationScheme {
  readonly type: ActivationType;
  readonly symmetric: boolean;
}

/** How a weight is quantized; whether it has a scale per channel, its axis says. */
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

/** A quantized weight. */
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

/** A node that stays float, as files and users are told. */
export interface FloatNode {
  readonly node: string;
  readonly op: string;
  readonly reason: string;
}

/** The same with what is needed to see to it that it really stays float. */
export interface PlannedFloat extends FloatNode {
  /** Name of its first output; absent where the node was quantized already, by whoever made the model. */
  readonly tensor?: string;
  /** The user named it: it is not to work on codes even where that changes no value. */
  readonly named?: true;
}

/** What every plan says. */
interface CommonPlan {
  readonly target: string;
  readonly scheme: Scheme;
  /** The nodes that the format writes. */
  readonly regions: readonly RegionPlan[];
  readonly float: readonly PlannedFloat[];
}

/** Quantizers with constant scales around int8 regions: QDQ and QOperator. */
export interface QdqPlan extends CommonPlan {
  readonly kind: 'qdq';
  readonly encoding: QdqEncoding;
  readonly tensors: readonly TensorPlan[];
  readonly weights: readonly WeightPlan[];
  /** Weights in few bits of nodes that run in float. */
  readonly stored?: readonly StoredWeight[];
}

/** Nodes that are rewritten one by one, without ranges: dynamic and weight-only. */
export interface NodePlan extends CommonPlan {
  readonly kind: 'nodes';
  readonly tables: QdqEncoding['tables'];
}

/** Nodes that compute in float16. */
export interface Float16Plan extends CommonPlan {
  readonly kind: 'float16';
  /** Tensors whose ranges say what float16 cannot hold, in graph order. */
  readonly observed: readonly string[];
}

/** Constants that are stored in bfloat16. */
export interface Bfloat16Plan extends CommonPlan {
  readonly kind: 'bfloat16';
  readonly constants: readonly string[];
}

/** A model in several formats. */
export interface MixedPlan extends CommonPlan {
  readonly kind: 'mixed';
  /** Those of all parts, each once. */
  readonly tensors: readonly TensorPlan[];
  /** The plan of each configured format, by its key; regions and float are those of all together. */
  readonly parts: readonly { readonly key: string; readonly plan: Plan }[];
}

/** A plan of any format. */
export type Plan = QdqPlan | NodePlan | Float16Plan | Bfloat16Plan | MixedPlan;

/** The tensors that a plan of any kind looks at: quantized, or only observed. */
export function plannedTensors(plan: Plan): readonly TensorPlan[] {
  switch (plan.kind) {
    case 'qdq':
    case 'mixed':
      return plan.tensors;
    case 'float16':
      return plan.observed.map((name) => ({ name, source: 'observe', int8Producer: false }));
    default:
      return [];
  }
}

/** The region of a node that is written by itself, with no quantizers around it. */
export function loneRegion(node: Node, weight?: RegionPlan['weight']): RegionPlan {
  const outputs = node.outputs.filter((value) => value !== null).map(({ name }) => name);
  return {
    node: node.label,
    op: node.opType,
    tensor: outputs[0]!,
    clamps: [],
    activations: [],
    ...(weight && { weight }),
    outputs,
    quantizedOutput: false,
  };
}

/** Reduces it to what files and users are told. */
export const toFloatNode = ({ node, op, reason }: PlannedFloat): FloatNode => ({ node, op, reason });

/** The scheme of a tensor: its own, or that of the plan. */
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
  return plannedTensors(plan)
    .filter((tensor) => tensor.source === 'observe')
    .map((tensor) => tensor.name);
}

/** One weight read along two axes, or in two types, needs two quantized copies. */
export function weightKey({ name, axis, as }: WeightPlan): string {
  const scheme = as === undefined ? '' : `@${as.type} ${as.range} ${as.observer ?? ''}`;
  return `${name}${axis === undefined ? '' : `@${axis}`}${scheme}`;
}
