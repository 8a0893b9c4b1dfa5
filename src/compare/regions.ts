/**
 * What a quantized model asks for: nodes that stand between DequantizeLinear and QuantizeLinear, which a runtime should turn
 * into one integer kernel each. Read from the model as written, before any runtime rewrites it.
 */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { keptLimiter, obstacleOf } from './unfused.ts';
import { elementTypes, isFloat, type ElementTypes } from '../graph/element-types.ts';

export interface Region {
  readonly node: Node;
  /** Float values that vanish when the region becomes an integer kernel: its output, and that of the activation after it. */
  readonly results: readonly Value[];
  /** Why kernels refuse it, where that is known. */
  readonly obstacle: string | undefined;
}

/** A region that was meant to stay float, since an operand of it is a float constant. */
export interface FloatRegion extends Region {
  readonly operand: string;
}

export interface Regions {
  /** Nodes with quantizers on both sides. */
  readonly quantized: readonly Region[];
  /** The same with a float weight. */
  readonly floatWeight: readonly FloatRegion[];
  /** Nodes that read dequantized values and still ask for float, with what they lack. */
  readonly open: ReadonlyMap<Node, string>;
}

export const isQuantize = (node: Node | undefined): boolean => node?.opType === 'QuantizeLinear';
export const isDequantize = (node: Node | undefined): boolean => node?.opType === 'DequantizeLinear';

export function findRegions(model: Model): Regions {
  const types = elementTypes(model);
  const quantized: Region[] = [];
  const floatWeight: FloatRegion[] = [];
  const open = new Map<Node, string>();
  for (const node of model.allNodes()) {
    if (isQuantize(node) || isDequantize(node) || !readsDequantized(node, types)) continue;
    const region = regionOf(node, model.opset);
    const operand = floatOperand(node, types)?.name;
    if (region && operand === undefined) quantized.push(region);
    else if (region && operand !== undefined) floatWeight.push({ ...region, operand });
    else
      open.set(
        node,
        'its inputs are quantized but its output is not: an integer kernel needs a QuantizeLinear after it',
      );
  }
  return { quantized, floatWeight, open };
}

/** Whether every float input that is computed comes from a DequantizeLinear of computed values, and there is one. */
function readsDequantized(node: Node, types: ElementTypes): boolean {
  const computed = node.inputs.filter(
    (value) => value !== null && isFloat(types.get(value)) && value.constant === undefined,
  );
  const activations = computed.filter((value) => value!.producer?.input(0)?.constant === undefined);
  return activations.length > 0 && computed.every((value) => isDequantize(value!.producer));
}

/** Bounds and scales are parameters, not operands. */
const parametersSecond = new Set(['Clip', 'Resize', 'Upsample']);

/** A weight or other constant operand in float; a bias, the third input, may be. */
function floatOperand(node: Node, types: ElementTypes): Value | undefined {
  if (parametersSecond.has(node.opType)) return undefined;
  return (
    node.inputs.slice(0, 2).find((value) => value?.constant !== undefined && isFloat(types.get(value))) ?? undefined
  );
}

function regionOf(node: Node, opset: number): Region | undefined {
  const results = node.outputs.filter((value) => value !== null && value.useCount > 0) as Value[];
  const [output] = results;
  if (output === undefined) return undefined;
  const dequantizers = node.inputs.flatMap((value) => (isDequantize(value?.producer) ? [value!.producer!] : []));
  const obstacle = (quantized: readonly Value[]): string | undefined =>
    obstacleOf(
      node,
      opset,
      dequantizers,
      quantized.flatMap((value) => [...value.users.keys()]),
    );
  if (results.every(feedsQuantizersOnly)) return { node, results, obstacle: obstacle(results) };
  const activation = results.length === 1 ? output.soleUser : undefined;
  const activated = activation?.is('Relu', 'Clip') ? activation.output() : undefined;
  if (activated === undefined || !feedsQuantizersOnly(activated)) return undefined;
  const why = obstacle([activated]) ?? keptLimiter(activation!, activated);
  return { node, results: [output, activated], obstacle: why };
}

function feedsQuantizersOnly(value: Value): boolean {
  return !value.isOutput && value.users.size > 0 && [...value.users.keys()].every(isQuantize);
}
