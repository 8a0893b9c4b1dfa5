/**
 * Tracing: the real shapes and types of tensors, found by running one sample: onnxruntime works them out, whatever shape inference
 * could or could not say. Only shapes leave the graph, so tracing costs one inference and no memory.
 */
import { narrowedFor } from '../backends/other-forms.ts';
import type { SessionOptions } from '../backends/session-options.ts';
import { openSession } from '../backends/session.ts';
import { calibrateErrors } from '../errors/calibrate.ts';
import { copyModel } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import type { DataTypeName, TensorValue } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { activationFinder, append, setOutputs } from './graph-outputs.ts';

/** What a run tells of a tensor. */
export interface TracedTensor {
  readonly type: DataTypeName;
  readonly dims: readonly number[];
}

/** Whether the model takes samples of different shapes: what one of them tells of sizes does not hold for the next. */
export function hasOpenShapes(model: Model, feeds: Readonly<Record<string, TensorValue>>): boolean {
  return model.feeds.some(({ name, dims }) =>
    // A symbol as the batch axis is no size.
    dims?.some((dim, axis) => typeof dim !== 'number' && (axis > 0 || feeds[name]?.dims[0] !== 1)),
  );
}

/** Dimensions of each named activation of the main graph, by name. */
export async function traceShapes(
  model: Model,
  feeds: Readonly<Record<string, TensorValue>>,
  tensors: Iterable<string>,
  options: SessionOptions = {},
): Promise<Map<string, number[]>> {
  const traced = await traceTensors(model, feeds, tensors, options);
  return new Map([...traced].map(([name, { dims }]) => [name, [...dims]]));
}

/** Dimensions and element type of each named activation of the main graph, by name. */
export async function traceTensors(
  model: Model,
  feeds: Readonly<Record<string, TensorValue>>,
  tensors: Iterable<string>,
  options: SessionOptions = {},
): Promise<Map<string, TracedTensor>> {
  const names = [...new Set(tensors)];
  if (names.length === 0) return new Map();
  const copy = copyModel(model);
  const { graph } = copy;
  const find = activationFinder(copy);
  const flat = graph.addInitializer(Tensor.of('trace_flat', 'int64', [1], BigInt64Array.of(-1n)));
  const nothing = graph.addInitializer(Tensor.of('trace_nothing', 'int64', [0], new BigInt64Array()));
  const probes = names.map((name) => {
    const value = find(name);
    if (value.graph !== graph) throw calibrateErrors.bodyTensor(name, value.graph.owner!.label);
    // A selection of no elements carries the type and nothing else. Gather takes any type, but no scalars: hence flat.
    const sample = append(graph, 'Gather', [append(graph, 'Reshape', [value, flat]), nothing]);
    return { name, shape: append(graph, 'Shape', [value]), sample };
  });
  setOutputs(
    graph,
    probes.flatMap(({ shape, sample }) => [shape, sample]),
  );
  // Shapes and types are the same however the graph is optimized.
  const session = await openSession(copy, { level: 'basic', onFallback: () => undefined, ...options });
  try {
    const results = await session.run(narrowedFor(session, feeds));
    return new Map(
      probes.map(({ name, shape, sample }) => {
        const dims = Array.from(results[shape.name]!.data, Number);
        return [name, { type: results[sample.name]!.type, dims }];
      }),
    );
  } finally {
    await session.dispose();
  }
}
