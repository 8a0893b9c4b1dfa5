/**
 * The layers that a correction of means can reach: those with a constant bias, the activation behind each, and the nodes that compute
 * the mean of each channel behind it.
 */
import { append, appendInts, appendReduction } from '../calibrate/graph-outputs.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { Node } from '../graph/node.ts';
import { specOf } from '../ops/index.ts';
import { valueFinder, type Model } from '../graph/model.ts';
import { setConstant } from '../intrinsic/edit.ts';
import type { Plan } from '../quantizable/plan.ts';

/** A layer that adds a constant bias. */
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
 * Finds the layers in int8 of the main graph that have a constant bias: Conv, ConvTranspose and Gemm, and MatMul with an Add behind it. In the
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

/** Adds a shift per channel to the biases of the layers, in place; constants that others read too are left as they are. */
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

/**
 * An activation of slope 1 between its limits, constant above, of a slope of its own below: one that rises everywhere or stands still. Where
 * a function also falls (SiLU, HardSwish), a channel may have no mean slope to speak of, and no shift then gives the mean that is wanted:
 * there the mean in front of the activation is kept. Numbers instead of a function, because it is computed for every element.
 */
export interface Activation {
  readonly min: number;
  readonly max: number;
  /** Slope below min. */
  readonly leak: number;
}

/** An activation, and what it makes of a layer's output. */
interface Activated {
  readonly activation: Activation;
  /** The tensor behind it. */
  readonly seen: Value;
}

/** No activation. */
export const identity: Activation = { min: -Infinity, max: Infinity, leak: 0 };

/** Finds the activation that alone reads the output of a layer; identity where there is none of this kind. */
export function activationOf(output: Value): Activated {
  const alone = output.soleUser;
  const activation = alone && functionOf(alone);
  return activation ? { activation, seen: alone!.output()! } : { activation: identity, seen: output };
}

function functionOf(node: Node): Activation | undefined {
  const limits = specOf(node)?.clamp?.(node);
  if (limits) return { ...limits, leak: 0 };
  return node.is('LeakyRelu') ? { min: 0, max: Infinity, leak: node.float('alpha', 0.01) } : undefined;
}

/** Appends nodes that compute the mean of each channel over all other axes: float32 [channels]. */
export function channelMeans(value: Value, { channels, inner }: BiasedLayer, opset: number): Value {
  const shape = inner > 0 ? [0, channels, -1] : [-1, channels, 1];
  const spread = append(value.graph, 'Reshape', [value, appendInts(value.graph, `${value.name}_spread`, shape)]);
  const means = appendReduction(spread, 'ReduceMean', [0, 2], opset);
  means.producer!.setInt('keepdims', 0);
  return means;
}

/** Appends the activation; returns the value itself where there is none. */
export function activated(value: Value, activation: Activation): Value {
  const { min, max, leak } = activation;
  if (activation === identity) return value;
  const { graph } = value;
  const limit = (name: string, content: number): Value =>
    graph.addInitializer(Tensor.of(`${value.name}_${name}`, 'float32', [], Float32Array.of(content)));
  if (leak !== 0) {
    const leaky = append(graph, 'LeakyRelu', [value]);
    leaky.producer!.setFloat('alpha', leak);
    return leaky;
  }
  const raised = append(graph, 'Max', [value, limit('min', min)]);
  return max === Infinity ? raised : append(graph, 'Min', [raised, limit('max', max)]);
}
