/**
 * What to compute of which tensor: the statistics the observer needs, and a look for NaN wherever one could get lost. The minimum of a
 * tensor that cannot be negative is not looked for: a range includes zero anyway.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf, limitsOf } from '../ops/index.ts';
import type { SessionOptions } from '../backends/session-options.ts';
import { calibrateErrors } from '../errors/calibrate.ts';
import { copyModel } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import type { DataTypeName, TensorValue } from '../onnx/data-types.ts';
import { elementTypes } from '../graph/element-types.ts';
import { unobservable } from '../quantizable/kept-nodes.ts';
import { guardedValues, guardsBehind, nanStops } from './nan-flow.ts';
import type { Observer } from './observers/observer.ts';
import { activationFinder, outermostOwner, setOutputs } from './graph-outputs.ts';
import { saturationLimits } from './statistics-run.ts';
import { traceTensors } from './shapes.ts';
import type { Probe } from './augmented-graph.ts';

/** bfloat16 is not among them: onnxruntime-node cannot even name its type. */
export const floatTypes: ReadonlySet<DataTypeName> = new Set(['float32', 'float64', 'float16']);

/**
 * Plans the probes of these tensors.
 * @param feeds one run's inputs, to find ranks and types
 * @param elements which elements of the tensors to bring out; none of those inside bodies
 * @throws CALIBRATE_UNKNOWN_TENSOR, CALIBRATE_CONSTANT, CALIBRATE_BODY_TENSOR, CALIBRATE_NOT_FLOAT
 */
export async function planProbes(
  model: Model,
  tensors: readonly string[],
  observer: Observer,
  feeds: Readonly<Record<string, TensorValue>>,
  options: SessionOptions,
  elements: Probe['elements'] = 'none',
): Promise<Probe[]> {
  const find = activationFinder(model);
  const stops = nanStopsOf(model, tensors);
  const outside = [...tensors, ...stops].filter((tensor) => find(tensor).graph === model.graph);
  const traces = await traceTensors(model, feeds, outside, options);
  const derived = elementTypes(model);
  const typeOf = (tensor: string): DataTypeName | undefined => traces.get(tensor)?.type ?? derived.get(find(tensor));
  const signs = new Map<Value, boolean>();
  const probes = tensors.map((tensor): Probe => {
    const owner = unobservable(find(tensor).graph);
    if (owner) throw calibrateErrors.bodyTensor(tensor, owner.label);
    const type = typeOf(tensor);
    if (type !== undefined && !floatTypes.has(type)) throw calibrateErrors.notFloat(tensor, type);
    const nonnegative = isNonnegative(find(tensor), signs);
    const needed = observer.needs.filter((statistic) => !(statistic === 'min' && nonnegative));
    const columns: Probe['columns'] = stops.delete(tensor) ? [...needed, 'nan'] : needed;
    const limits = observer.saturates ? saturationLimits(find(tensor)) : undefined;
    return { tensor, traced: traces.get(tensor), columns, limits, elements };
  });
  for (const tensor of stops) {
    const type = typeOf(tensor);
    if (type !== undefined && floatTypes.has(type))
      probes.push({ tensor, traced: traces.get(tensor), columns: ['nan'], elements: 'none' });
  }
  return probes;
}

/**
 * Where NaN must be looked for: in the part of the model that the observed tensors need, and behind the guards that remove NaN from them. A
 * body is needed whole.
 */
function nanStopsOf(model: Model, tensors: readonly string[]): Set<string> {
  const copy = copyModel(model);
  const find = activationFinder(copy);
  const guarded = guardedValues(copy.graph);
  const ends = [...tensors.map(find), ...guardsBehind(tensors.map(find), guarded)];
  const needed = ends.map((value) => outermostOwner(value.graph)?.outputs.find((output) => output !== null) ?? value);
  setOutputs(copy.graph, [...new Set(needed)]);
  const graphs = [...copy.graph.graphs()].filter((graph) => !unobservable(graph));
  const stops = graphs.flatMap((graph) => nanStops(graph));
  return new Set(stops.filter((value) => !guarded.has(value)).map(({ name }) => name));
}

/** Operators whose result is not negative when no float input is. */
const keepsSign = new Set([
  ...['Add', 'Mul', 'Sum', 'Mean', 'Max', 'Concat', 'Identity', 'Relu', 'LeakyRelu', 'PRelu'],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool', 'ReduceMean', 'ReduceSum', 'ReduceMax'],
]);
/** The same for operators whose other inputs are shapes, axes or indices. */
const movesFirst = new Set([
  'Reshape',
  'Flatten',
  'Transpose',
  'Squeeze',
  'Unsqueeze',
  'Slice',
  'Split',
  'Gather',
  'Expand',
  'Tile',
]);

/** Whether no element can be negative. `known` remembers the answers of one graph, whose nodes must be in dependency order. */
export function isNonnegative(value: Value, known: Map<Value, boolean>): boolean {
  // An explicit stack: real graphs are deeper than the call stack.
  const stack = [value];
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    const node = top.producer;
    const sources = known.has(top) || !node ? [] : inherits(node);
    const open = sources.filter((source) => !known.has(source));
    if (open.length > 0) {
      stack.push(...open);
      continue;
    }
    stack.pop();
    if (known.has(top)) continue;
    known.set(
      top,
      node !== undefined && (clampsNegative(node) || (sources.length > 0 && sources.every((each) => known.get(each)))),
    );
  }
  return known.get(value)!;
}

/** The activations from which the node's output inherits its sign. */
function inherits(node: Node): Value[] {
  if (node.domain !== '' || clampsNegative(node)) return [];
  if (movesFirst.has(node.opType)) return node.inputs.slice(0, 1).filter((input) => input !== null);
  return keepsSign.has(node.opType) ? node.inputs.filter((input) => input !== null) : [];
}

function clampsNegative(node: Node): boolean {
  const clamp = specOf(node)?.clamp?.(node);
  if (clamp) return clamp.min >= 0;
  const limits = limitsOf(node);
  return limits !== undefined && limits.min >= 0;
}
