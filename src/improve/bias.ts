/**
 * Empirical bias correction, layer by layer in order: what quantization adds to the mean of a channel is taken out of its bias, so that
 * it does not add up over the layers, as errors of one sign do.
 *
 *   mean of g(ŷ(c) + e(c)) = mean of g(y(c)),   b'(c) = b(c) + k(c) · e(c),   k(c) = max(0, 1 - s²(c) / d²(c))
 *
 * over samples and positions; y: output of the layer in the float model; ŷ: in the quantized model, the layers before it being corrected; g: the
 * activation behind it (layers.ts); d: the difference of both means without e, s: its standard error over
 * the samples, so that what may be chance is left alone. After Nagel et al. 2019 (Data-Free Quantization Through Weight Equalization and
 * Bias Correction), section 4.2 and appendix D, where g is the identity; the factor k is James and Stein's.
 *
 * A layer's mean error is known only when the layers before it are corrected. The quantized model, simulated with a shift behind every
 * layer, is therefore cut before its layers (segments.ts) and runs from cut to cut, all samples at each; the float model tells its means in
 * one pass. The result is a float model with other biases, which every format writes as it does any.
 */
import { openSession } from '../backends/session.ts';
import { setOutputs } from '../calibrate/graph-outputs.ts';
import { copyModel } from '../graph/from-proto.ts';
import { type Model, valueFinder } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { sortNodes } from '../graph/walk.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { Interval } from '../ops/op.ts';
import type { QdqPlan } from '../quantizable/plan.ts';
import { emitQdq } from '../quantized/qdq.ts';
import { identity, biasedLayers, shiftBiases, type BiasedLayer, activated, channelMeans } from './layers.ts';
import { shiftOf } from './shift.ts';
import { cutOut, stepsOf } from './segments.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

export interface Corrected {
  /** The float model with other biases. */
  readonly model: Model;
  /** How many layers got one. */
  readonly layers: number;
}

export interface CorrectOptions {
  readonly threads: number;
  /** Bytes that values between two steps may take; where they are more, fewer samples go on. Default 512 MiB. */
  readonly mostBytes?: number;
  onLayer?(done: number, of: number): void;
}

const usualBytes = 2 ** 29;
const fewestSamples = 4;
/** So many samples show element by element how an activation bends. */
const bentSamples = 8;

/**
 * Corrects the biases of all layers that have one.
 * @param feeds one run of the model for each sample
 * @returns undefined where no layer has a bias that can be corrected
 */
export async function correctBiases(
  model: Model,
  plan: QdqPlan,
  ranges: ReadonlyMap<string, Interval>,
  feeds: readonly Tensors[],
  options: CorrectOptions,
): Promise<Corrected | undefined> {
  const layers = biasedLayers(model, plan);
  if (layers.length === 0) return undefined;
  const wanted = await floatMeans(model, layers, feeds, options);
  const shifts = await walk(simulationOf(model, plan, ranges, layers), wanted, feeds, options);
  const corrected = copyModel(model);
  shiftBiases(corrected, shifts);
  return { model: corrected, layers: shifts.size };
}

type Means = ReadonlyMap<BiasedLayer, readonly Float32Array[]>;

/** Computes the means of each layer, by sample, in the float model: one float32 [channels] each. */
async function floatMeans(
  model: Model,
  layers: readonly BiasedLayer[],
  feeds: readonly Tensors[],
  { threads }: CorrectOptions,
): Promise<Means> {
  const copy = copyModel(model);
  const find = valueFinder(copy);
  const outputs = layers.map((layer) => channelMeans(find(layer.seen)!, layer, copy.opset));
  setOutputs(copy.graph, outputs);
  const session = await openSession(copy, { threads, onFallback: () => {} });
  const means = new Map(layers.map((layer) => [layer, [] as Float32Array[]]));
  try {
    for (const feed of feeds) {
      const results = await session.run(feed);
      layers.forEach((layer, i) => means.get(layer)!.push(results[outputs[i]!.name]!.data as Float32Array));
    }
  } finally {
    await session.dispose();
  }
  return means;
}

interface Simulation {
  readonly model: Model;
  /** By the node that makes the output of the layer. */
  readonly layers: ReadonlyMap<Node, Metered>;
}

interface Metered {
  readonly layer: BiasedLayer;
  /** Its output, to which nothing has been added. */
  readonly output: Value;
  /** The means behind its activation. */
  readonly means: Value;
  /** A constant that is added to that output. */
  readonly shift: Value;
}

/** The quantized model with a shift behind every layer, 0 to begin with. */
function simulationOf(
  source: Model,
  plan: QdqPlan,
  ranges: ReadonlyMap<string, Interval>,
  layers: readonly BiasedLayer[],
): Simulation {
  const { model, nodes } = emitQdq(source, plan, ranges);
  const { graph } = model;
  const metered = new Map<Node, Metered>();
  for (const layer of layers) {
    const node = nodes.get(layer.tensor) ?? graph.values.get(layer.tensor)!.producer!;
    const y = node.output()!;
    const zeros = Tensor.of(`${y.name}_shift`, 'float32', shapeOf(layer), new Float32Array(layer.channels));
    const shift = graph.addInitializer(zeros);
    const add = graph.makeNode('Add', [null, shift], { outputs: [`${y.name}_shifted`] });
    graph.insertAfter(add, node);
    graph.replaceUses(y, add.output()!);
    add.setInput(0, y);
    const means = channelMeans(activated(y, layer.activation), layer, model.opset);
    metered.set(node, { layer, output: y, means, shift });
  }
  const looked = [...metered.values()].flatMap(({ output, means }) => [output, means]);
  setOutputs(graph, looked);
  sortNodes(graph);
  return { model, layers: metered };
}

/** The shape [channels, 1, ...] that broadcasts over the output of the layer. */
function shapeOf({ channels, inner }: BiasedLayer): number[] {
  return [channels, ...Array.from({ length: inner }, () => 1)];
}

/** Runs from cut to cut, all samples at each, and works out the shifts on the way. */
async function walk(
  { model, layers }: Simulation,
  wanted: Means,
  feeds: readonly Tensors[],
  { threads, onLayer, mostBytes = usualBytes }: CorrectOptions,
): Promise<Map<BiasedLayer, Float64Array>> {
  const values = feeds.map((feed) => new Map(Object.entries(feed)));
  const shifts = new Map<BiasedLayer, Float64Array>();
  for (const { reads, leaves, spent, layers: ends } of stepsOf(model.graph, layers)) {
    const means = ends.map((end) => end.means.name);
    const bent = ends.filter(({ layer }) => layer.activation !== identity).map(({ output }) => output.name);
    const { model: part, inputs } = cutOut(model, reads, [...leaves, ...means, ...bent], values[0]!);
    const session = await openSession(part, { threads, simulate: true, onFallback: () => {} });
    const seen = new Map([...means, ...bent].map((name) => [name, [] as TensorValue[]]));
    try {
      for (const [i, sample] of values.entries()) {
        const given = [...inputs].map(([input, name]) => [input, sample.get(name)!]);
        const looked = i < bentSamples ? [...means, ...bent] : means;
        const results = await session.run(Object.fromEntries(given), [...leaves, ...looked]);
        for (const name of looked) seen.get(name)!.push(results[name]!);
        for (const name of spent) sample.delete(name);
        for (const name of leaves) sample.set(name, results[name]!);
      }
    } finally {
      await session.dispose();
    }
    for (const end of ends) {
      const made = seen.get(end.means.name)!.map(({ data }) => data as Float32Array);
      const shift = shiftOf(end.layer, wanted.get(end.layer)!, made, seen.get(end.output.name) ?? []);
      shifts.set(end.layer, shift);
      const { name, dims } = end.shift.constant!;
      end.shift.initializer = Tensor.of(name, 'float32', dims, Float32Array.from(shift));
    }
    dropSamples(values, mostBytes);
    onLayer?.(shifts.size, layers.size);
  }
  return shifts;
}

/** Goes on with fewer samples where their values take too much memory. */
function dropSamples(values: Map<string, TensorValue>[], mostBytes: number): void {
  let bytes = 0;
  const sizeOf = (sample: ReadonlyMap<string, TensorValue>): number =>
    [...sample.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  for (const sample of values) bytes += sizeOf(sample);
  while (bytes > mostBytes && values.length > fewestSamples) bytes -= sizeOf(values.pop()!);
}
