/**
 * What onnxruntime is asked about one batch before a gradient graph is built: the type and shape of every tensor, because gradient
 * graphs are built for fixed shapes, and the interpolation weights of Resize nodes, read off its own kernel: it resizes unit vectors
 * along one axis at a time, so that modes, coordinate conventions and rounding are right by construction.
 */
import type { SessionOptions } from '../backends/session-options.ts';
import { traceTensors } from '../calibrate/shapes.ts';
import { valueTypes } from '../graph/element-types.ts';
import { Emitter } from '../graph/emitter.ts';
import { type Executor, Model } from '../graph/model.ts';
import { Graph } from '../graph/graph.ts';
import { Names } from '../graph/names.ts';
import type { Node } from '../graph/node.ts';
import { dataType, type TensorValue } from '../onnx/data-types.ts';
import { staticDims, wrapAxis, type AxisMap } from '../ops/gradient/context.ts';

/**
 * Gives every tensor of the main graph the type and shape it has for one batch.
 * @param feeds one batch, in the size of the training batches
 */
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

/**
 * The maps of every Resize of the main graph, for `differentiate`; shapes must have been traced. Nodes whose axes do not stand
 * for themselves, or that resize the batch axis, are left out and so have no gradient.
 */
export async function resizeMaps(model: Model, executor: Executor): Promise<Map<Node, AxisMap[]>> {
  const maps = new Map<Node, AxisMap[]>();
  for (const node of model.graph.nodes()) {
    if (!node.is('Resize') || node.string('coordinate_transformation_mode') === 'tf_crop_and_resize') continue;
    const found = await mapsOf(node, model, executor);
    if (found) maps.set(node, found);
  }
  return maps;
}

async function mapsOf(node: Node, model: Model, executor: Executor): Promise<AxisMap[] | undefined> {
  const [dims, result] = [staticDims(node.input(0)!), staticDims(node.output()!)];
  const rank = dims.length;
  const scales = node.constant(2)?.floats();
  const axes = node.ints('axes')?.map((axis) => wrapAxis(axis, rank)) ?? dims.map((_, axis) => axis);
  const maps: AxisMap[] = [];
  for (const axis of axes) {
    // A scale given as a number also places the samples, even where the size does not change.
    const scale = scales && scales.length > 0 ? scales[axes.indexOf(axis)]! : result[axis]! / dims[axis]!;
    if (scale === 1 && dims[axis] === result[axis]) continue;
    if (axis === 0) return undefined;
    const exact = scales && scales.length > 0 ? scale : undefined;
    maps.push(await mapAlong(node, model, executor, axis, dims[axis]!, result[axis]!, rank, exact));
  }
  return maps;
}

/** Unit vectors as a batch: what becomes of vector i is column i of the matrix. */
async function mapAlong(
  node: Node,
  model: Model,
  executor: Executor,
  axis: number,
  from: number,
  to: number,
  rank: number,
  scale: number | undefined,
): Promise<AxisMap> {
  const graph = new Graph('resize', new Names());
  const emit = new Emitter(graph, 'resize');
  const at = (value: number, batch: number): number[] => {
    return Array.from({ length: rank }, (_, i) => (i === axis ? value : i === 0 ? batch : 1));
  };
  const vectors = new Float32Array(from * from);
  for (let i = 0; i < from; i++) vectors[i * from + i] = 1;
  const x = emit.floats(at(from, from), vectors);
  const size = scale === undefined ? [null, emit.ints(at(to, from))] : [emit.floats([rank], at(scale, 1))];
  const y = emit.op('Resize', [x, null, ...size]);
  for (const [key, attribute] of node.attributes) {
    if (key !== 'axes' && key !== 'keep_aspect_ratio_policy') y.producer!.attributes.set(key, attribute);
  }
  graph.addOutput(y);
  const opsetImport = [...model.opsets].map(([domain, version]) => ({ domain, version }));
  const irVersion = Math.max(model.irVersion, 4);
  const results = await executor.run(new Model(graph, { irVersion, opsetImport }, undefined), {});
  const columns = results[y.name]!.data as Float32Array;
  const matrix = new Float32Array(to * from);
  for (let i = 0; i < from; i++) for (let j = 0; j < to; j++) matrix[j * from + i] = columns[i * to + j]!;
  return { axis, from, to, matrix };
}
