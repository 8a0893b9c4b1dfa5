/** Means of each channel, computed in the graph: of a tensor, and of what an activation makes of it. */
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import { identity, type Activation } from './activations.ts';
import type { BiasedLayer } from './layers.ts';

/** The operator set from which on the axes of ReduceMean are an input. */
const axesAreInput = 18;

/** float32 [channels]: the mean over all other axes. */
export function channelMeans(value: Value, { channels, inner }: BiasedLayer, opset: number): Value {
  const { graph } = value;
  const shape = inner > 0 ? [0, channels, -1] : [-1, channels, 1];
  const spread = graph.makeNode('Reshape', [value, numbers(graph, `${value.name}_spread_shape`, shape)], {
    outputs: [`${value.name}_spread`],
  });
  const mean = graph.makeNode('ReduceMean', [graph.append(spread).output()!], { outputs: [`${value.name}_means`] });
  mean.setInt('keepdims', 0);
  if (opset < axesAreInput) mean.setInts('axes', [0, 2]);
  else mean.setInput(1, numbers(graph, `${value.name}_axes`, [0, 2]));
  return graph.append(mean).output()!;
}

/** The value itself where there is no activation. */
export function activated(value: Value, activation: Activation): Value {
  const { min, max, leak } = activation;
  if (activation === identity) return value;
  const { graph } = value;
  const node = (opType: string, inputs: readonly Value[]): Value =>
    graph.append(graph.makeNode(opType, inputs, { outputs: [`${value.name}_${opType}`] })).output()!;
  const limit = (name: string, content: number): Value =>
    graph.addInitializer(Tensor.of(`${value.name}_${name}`, 'float32', [], Float32Array.of(content)));
  if (leak !== 0) {
    const leaky = node('LeakyRelu', [value]);
    leaky.producer!.setFloat('alpha', leak);
    return leaky;
  }
  const raised = node('Max', [value, limit('min', min)]);
  return max === Infinity ? raised : node('Min', [raised, limit('max', max)]);
}

function numbers(graph: Graph, name: string, content: readonly number[]): Value {
  return graph.addInitializer(Tensor.of(name, 'int64', [content.length], BigInt64Array.from(content, BigInt)));
}
