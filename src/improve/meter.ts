/** Means of each channel, computed in the graph: of a tensor, and of what an activation makes of it. */
import { append, appendInts, appendReduction } from '../calibrate/probe.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import { identity, type Activation } from './activations.ts';
import type { BiasedLayer } from './layers.ts';

/** float32 [channels]: the mean over all other axes. */
export function channelMeans(value: Value, { channels, inner }: BiasedLayer, opset: number): Value {
  const shape = inner > 0 ? [0, channels, -1] : [-1, channels, 1];
  const spread = append(value.graph, 'Reshape', [value, appendInts(value.graph, `${value.name}_spread`, shape)]);
  const means = appendReduction(spread, 'ReduceMean', [0, 2], opset);
  means.producer!.setInt('keepdims', 0);
  return means;
}

/** The value itself where there is no activation. */
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
