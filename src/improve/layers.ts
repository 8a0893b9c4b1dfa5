/** The layers whose mean output a constant shifts: what a correction of means can reach. */
import { valueFinder, type Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { setConstant } from '../intrinsic/edit.ts';
import type { Plan } from '../quantizable/plan.ts';
import { activationOf, type Activation } from './activations.ts';

export interface BiasedLayer {
  /** The float tensor to which the bias has been added. */
  readonly tensor: string;
  /** The one behind its activation, whose mean is to be kept. */
  readonly seen: string;
  readonly activation: Activation;
  readonly channels: number;
  /** Axes behind that of the channels. */
  readonly inner: number;
  /** Input of the producer of `tensor` that holds the bias, float32, one number per channel. */
  readonly input: number;
}

/**
 * The layers in int8 of the main graph that have a constant bias: Conv, ConvTranspose and Gemm, and MatMul with an Add behind it. In the
 * order of the plan.
 */
export function biasedLayers(model: Model, plan: Plan): BiasedLayer[] {
  const find = valueFinder(model);
  return plan.regions.flatMap(({ tensor, weight }) => {
    const value = find(tensor);
    if (!weight || value?.graph !== model.graph) return [];
    return layerAt(value) ?? [];
  });
}

function layerAt(value: Value): BiasedLayer | undefined {
  const node = value.producer!;
  if (node.is('Conv', 'ConvTranspose')) return layerOf(node, 2, node.constant(1)!.dims.length - 2);
  if (node.is('Gemm')) return layerOf(node, 2, 0);
  const add = node.is('MatMul') ? value.soleUser : undefined;
  return add?.is('Add') ? layerOf(add, add.input(0) === value ? 1 : 0, 0) : undefined;
}

function layerOf(node: Node, input: number, inner: number): BiasedLayer | undefined {
  const bias = node.constant(input);
  if (bias?.type.name !== 'float32' || node.float('beta', 1) !== 1) return undefined;
  const channels = bias.dims.at(-1) ?? 0;
  if (channels === 0 || bias.size !== channels) return undefined;
  const output = node.output()!;
  const { activation, seen } = activationOf(output);
  return { tensor: output.name, seen: seen.name, activation, channels, inner, input };
}

/** Adds to the biases of the layers, in place; constants that others read too are left as they are. */
export function shiftBiases(model: Model, shifts: ReadonlyMap<BiasedLayer, Float64Array>): void {
  const find = valueFinder(model);
  for (const [{ tensor, input }, shift] of shifts) {
    const node = find(tensor)!.producer!;
    const bias = node.constant(input)!;
    const { dims, name } = bias;
    const data = bias.floats().map((value, channel) => value + shift[channel]!);
    setConstant(node, input, { type: 'float32', dims, data }, name);
  }
}
