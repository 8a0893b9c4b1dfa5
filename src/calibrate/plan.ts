/** What to compute of which tensor: the statistics the observer needs, and a look for NaN wherever one could get lost. */
import type { SessionOptions } from '../backends/options.ts';
import { calibrateErrors } from '../errors/calibrate.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import type { DataTypeName, TensorValue } from '../onnx/data-types.ts';
import { nanStops } from './nan-flow.ts';
import { isNonnegative } from './nonnegative.ts';
import type { Observer } from './observers/observer.ts';
import { activation, copyModel, setOutputs } from './probe.ts';
import { traceTensors } from './shapes.ts';
import type { Column, Probe } from './statistics.ts';

/** bfloat16 is not among them: onnxruntime-node cannot even name its type. */
export const floatTypes: ReadonlySet<DataTypeName> = new Set(['float32', 'float64', 'float16']);

/**
 * @param feeds one run's inputs, to find ranks and types
 * @throws CALIBRATE_UNKNOWN_TENSOR, CALIBRATE_CONSTANT, CALIBRATE_NOT_FLOAT
 */
export async function planProbes(
  model: Model,
  tensors: readonly string[],
  observer: Observer,
  feeds: Readonly<Record<string, TensorValue>>,
  options: SessionOptions,
): Promise<Probe[]> {
  const stops = nanStopsOf(model, tensors);
  const traced = await traceTensors(model, feeds, [...tensors, ...stops], options);
  const signs = new Map<Value, boolean>();
  const probes = tensors.map((tensor): Probe => {
    const { type, dims } = traced.get(tensor)!;
    if (!floatTypes.has(type)) throw calibrateErrors.notFloat(tensor, type);
    const nonnegative = isNonnegative(activation(model.graph, tensor), signs);
    const needed: Column[] = observer.needs.filter((statistic) => !(statistic === 'min' && nonnegative));
    return { tensor, type, dims, columns: stops.delete(tensor) ? [...needed, 'nan'] : needed };
  });
  for (const tensor of stops) {
    const { type, dims } = traced.get(tensor)!;
    if (floatTypes.has(type)) probes.push({ tensor, type, dims, columns: ['nan'] });
  }
  return probes;
}

/** In the part of the graph that the observed tensors need. */
function nanStopsOf(model: Model, tensors: readonly string[]): Set<string> {
  const { graph } = copyModel(model);
  setOutputs(
    graph,
    tensors.map((tensor) => activation(graph, tensor)),
  );
  return new Set(nanStops(graph).map(({ name }) => name));
}
