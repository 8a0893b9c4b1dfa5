/**
 * Gives every tensor of the main graph the type and shape it has for one batch: onnxruntime works them out. Gradient graphs are
 * built for these fixed shapes.
 */
import type { SessionOptions } from '../backends/options.ts';
import { traceTensors } from '../calibrate/shapes.ts';
import { valueTypes } from '../graph/element-types.ts';
import type { Model } from '../graph/model.ts';
import { dataType, type TensorValue } from '../onnx/data-types.ts';

/** @param feeds one batch, in the size of the training batches */
export async function traceShapes(
  model: Model,
  feeds: Readonly<Record<string, TensorValue>>,
  options: SessionOptions = {},
): Promise<void> {
  const { types, containers } = valueTypes(model);
  const traced = [];
  for (const value of model.graph.values.values()) {
    if (value.initializer || !(value.producer || value.isInput) || containers.has(value)) continue;
    const type = types.get(value);
    // No operator can look at codes of less than a byte, and nobody asks for their shape.
    if (type !== undefined && dataType(type).bits < 8 && type !== 'string') value.setType(dataType(type).code);
    else traced.push(value);
  }
  const names = traced.map((value) => value.name);
  const found = await traceTensors(model, feeds, names, { simulate: true, ...options });
  for (const value of traced) {
    const { type, dims } = found.get(value.name)!;
    value.setType(dataType(type).code, dims);
  }
}
