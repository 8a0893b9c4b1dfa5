/**
 * What a lint rule is: what it demands of a finished model for a target, and where the model breaks it. Every rule looks at the
 * quantizers of the model, sorted by what they quantize.
 */
import type { Target } from '../../backends/targets/target.ts';
import { elementTypes } from '../../graph/element-types.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { specOf } from '../../ops/index.ts';

/** A place where the model breaks a rule. */
export interface LintFinding {
  /** Id of the rule. */
  readonly rule: string;
  /** The node that breaks it; undefined when it is the model as a whole. */
  readonly node: string | undefined;
  /** The tensor, where one is meant. */
  readonly tensor: string | undefined;
  readonly message: string;
  readonly remedy: string;
}

/** What a rule looks at. */
interface Subject {
  readonly model: Model;
  readonly target: Target;
  readonly quantizers: Quantizers;
}

/** What a rule says of one place. */
export interface Breach {
  readonly node?: string;
  readonly tensor?: string;
  readonly message: string;
  readonly remedy: string;
}

/** A rule. */
export interface LintRule {
  readonly id: string;
  /** What it demands, for lists of rules; undefined when it demands nothing of this target. */
  text(target: Target): string | undefined;
  check(subject: Subject): Iterable<Breach>;
}

/** Shortens 'uint8' to what flags say: u8. */
export const short = (type: string): string => type.replace('uint', 'u').replace('int', 's');

/** Joins words to a list: "a, b or c". */
export const listed = (words: readonly string[], last = 'or'): string =>
  words.length < 2 ? (words[0] ?? 'none') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;

/** A QuantizeLinear or DequantizeLinear, and what its inputs say. */
interface Quantizer {
  readonly node: Node;
  /** Type of its codes; undefined when the graph does not say. */
  readonly type: string | undefined;
  readonly scale: Tensor | undefined;
  readonly zeroPoint: Tensor | undefined;
  /** The zero point input is there, constant or not. */
  readonly hasZeroPoint: boolean;
}

/** A DequantizeLinear of a constant and a node that reads it. */
export interface ConstantUse extends Quantizer {
  readonly reader: Node;
  readonly input: number;
  /** The constant in float behind a QuantizeLinear, not as codes. */
  readonly paired: boolean;
}

/** All quantizers of a model. */
interface Quantizers {
  /** Of computed values. */
  readonly activations: readonly Quantizer[];
  readonly weights: readonly ConstantUse[];
  readonly biases: readonly ConstantUse[];
  /** Nodes that read dequantized activations, conversions left out, in graph order. */
  readonly readers: readonly Node[];
}

const isQuantize = (node: Node | undefined): boolean => node !== undefined && node.is('QuantizeLinear');
const isDequantize = (node: Node | undefined): boolean => node !== undefined && node.is('DequantizeLinear');

/** Finds and sorts the quantizers of all graphs. */
export function findQuantizers(model: Model): Quantizers {
  const types = elementTypes(model);
  const activations: Quantizer[] = [];
  const weights: ConstantUse[] = [];
  const biases: ConstantUse[] = [];
  const readers = new Set<Node>();
  for (const node of model.allNodes()) {
    if (!isQuantize(node) && !isDequantize(node)) continue;
    const codes = isQuantize(node) ? node.output() : node.input(0);
    const zero = node.input(2);
    const quantizer: Quantizer = {
      node,
      type: (zero ? types.get(zero) : undefined) ?? (codes ? types.get(codes) : undefined),
      scale: node.constant(1),
      zeroPoint: node.constant(2),
      hasZeroPoint: zero !== null && zero !== undefined,
    };
    const constant = constantOf(node);
    if (!constant) {
      activations.push(quantizer);
      if (isDequantize(node)) for (const user of node.output()?.users.keys() ?? []) readers.add(user);
    } else if (isDequantize(node)) {
      for (const reader of node.output()?.users.keys() ?? []) {
        const input = reader.inputs.indexOf(node.output()!);
        const use = { ...quantizer, reader, input, paired: constant.paired };
        if (specOf(reader)?.weight?.(reader, 2).index === input) weights.push(use);
        else if (specOf(reader)?.weight && input === 2) biases.push(use);
        else activations.push(quantizer);
      }
    }
  }
  return {
    activations,
    weights,
    biases,
    readers: [...readers].filter((node) => !isQuantize(node) && !isDequantize(node)),
  };
}

/** The constant that a quantizer works on, itself or through the quantizer before it. */
function constantOf(node: Node): { paired: boolean } | undefined {
  const input = node.input(0);
  if (!input) return undefined;
  if (input.isConstant) return { paired: false };
  return isQuantize(input.producer) && input.producer!.input(0)?.isConstant ? { paired: true } : undefined;
}

/** What a quantized value is called in messages: the float tensor it stands for. */
export function tensorOf({ node }: Pick<Quantizer, 'node'>): string {
  const value = isQuantize(node) ? node.input(0) : node.output();
  return value?.name ?? node.label;
}

/** The node whose result a QuantizeLinear quantizes, through the Relu or Clip behind it. */
export function producerOf(value: Value | null | undefined): Node | undefined {
  let producer = value?.producer;
  while (producer && specOf(producer)?.clamp) producer = producer.input(0)?.producer;
  return producer;
}
