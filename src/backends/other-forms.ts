/**
 * Forms in which a model is opened where onnxruntime does not take it as it is, or does not hand out all of its outputs. The session says
 * so (`widened`, `turned`, `unread`); `asItIs` forbids both.
 *
 * - Without kernels: a model that onnxruntime refuses, because of a float type or a layout, in an equal form that it has kernels for:
 *   widened to float32, or with the batch behind the steps in recurrent nodes.
 * - Outputs that are no tensors: onnxruntime-node hands out tensors only. A model that gives sequences, optionals or maps gets, beside each
 *   of them, a tensor of what is in it, so that it can be run, proven and compared like any other; the model that is written keeps its
 *   outputs. A sequence becomes all its elements in a row, an optional what it holds or nothing, a map of ZipMap the scores it is made of.
 * - Other float types at the border: a session whose float16 inputs and outputs are fed and read in float32, so that a model converted to
 *   float16, inputs and all, is judged like the float model that it was made from.
 */
import { convert } from '../data/convert.ts';
import type { InputInfo } from '../data/sample.ts';
import { type TensorValue, dataType, type DataTypeName } from '../onnx/data-types.ts';
import { float16ToFloat32, toFloat32 } from '../onnx/narrow-types.ts';
import { valueTypes, type ValueTypes } from '../graph/element-types.ts';
import { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import { copyModel, modelFromFile } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import { turnBatchFirst } from '../intrinsic/batch-first.ts';
import { widen } from '../intrinsic/widen/widen.ts';
import { loadModel } from '../onnx/model-file.ts';
import type { Session } from './session.ts';

interface OtherForm {
  readonly model: Model;
  /** Float types that became float32; absent: none. */
  readonly widened?: readonly DataTypeName[];
  /** Recurrent nodes that had the batch first; absent: none. */
  readonly turned?: readonly string[];
}

/** A copy that onnxruntime has kernels for; undefined when the model was refused for another reason. */
export function otherForm(source: string | Model): OtherForm | undefined {
  const model = typeof source === 'string' ? modelFromFile(loadModel(source)) : copyModel(source);
  const widened = widen(model)?.types;
  const turned = turnBatchFirst(model);
  if (!widened && turned.length === 0) return undefined;
  return { model, ...(widened && { widened }), ...(turned.length > 0 && { turned }) };
}

/** A model with tensors beside the outputs that are none. */
export interface TensorForm {
  readonly model: Model;
  /** Names of the outputs that are no tensors → the tensors that stand for them. */
  readonly twins: ReadonlyMap<string, string>;
}

/**
 * A copy with tensors beside outputs.
 * @param names of the outputs that are no tensors; those of which no tensor can be made have no twin
 */
export function tensorForm(source: string | Model, names: readonly string[]): TensorForm {
  const model = typeof source === 'string' ? modelFromFile(loadModel(source)) : copyModel(source);
  const { graph } = model;
  const types = valueTypes(model);
  const twins = new Map<string, string>();
  for (const name of names) {
    const value = graph.outputs.find((each) => each.name === name);
    const twin = value && twinOf(value, types);
    if (!twin) continue;
    graph.addOutput(twin);
    twins.set(name, twin.name);
  }
  return { model, twins };
}

function twinOf(value: Value, { containers }: ValueTypes): Value | undefined {
  const { graph, producer } = value;
  if (producer?.opType === 'ZipMap') {
    const scores = producer.input(0)!;
    // Its type is not always declared, and that of an output must be told or follow.
    return emit(graph, 'Identity', [scores], `${value.name}/scores`);
  }
  const type = containers.get(value);
  if (type === undefined) return undefined;
  const depth = depthOf(value);
  if (depth === 'sequence') return flattened(graph, value, type);
  return depth === undefined ? undefined : opened(graph, value, type, depth === 'optional sequence');
}

function depthOf({ info, producer }: Value): 'sequence' | 'optional' | 'optional sequence' | undefined {
  const type = info?.type;
  if (type?.sequenceType) return type.sequenceType.elemType?.tensorType ? 'sequence' : undefined;
  if (type?.optionalType) return type.optionalType.elemType?.sequenceType ? 'optional sequence' : 'optional';
  if (type?.mapType) return undefined;
  return producer?.opType === 'Optional' ? 'optional' : 'sequence';
}

/** All elements of all tensors of a sequence: [1, 1, 1, n], which nobody takes for scores of samples. */
function flattened(graph: Graph, sequence: Value, type: DataTypeName): Value {
  const base = sequence.name;
  const count = emit(graph, 'SequenceLength', [sequence], `${base}/length`);
  const go = graph.addInitializer(Tensor.of(`${base}/true`, 'bool', [], Uint8Array.of(1)));
  const start = graph.addInitializer(nothing(`${base}/nothing`, type));
  const loop = graph.makeNode('Loop', [count, go, start], { name: `${base}/Loop`, outputs: [`${base}/elements`] });
  const body = new Graph(`${base}/body`, graph.names, loop);
  const index = body.addInput(`${base}/i`, dataType('int64').code, []);
  const on = body.addInput(`${base}/on`, dataType('bool').code, []);
  const before = body.addInput(`${base}/before`, dataType(type).code, [null]);
  const element = emit(body, 'SequenceAt', [sequence, index], `${base}/element`);
  const row = emit(body, 'Reshape', [element, integers(body, `${base}/row`, [-1])], `${base}/flat`);
  const after = emit(body, 'Concat', [before, row], `${base}/after`);
  after.producer!.setInt('axis', 0);
  after.setType(dataType(type).code, [null]);
  const still = emit(body, 'Identity', [on], `${base}/still`);
  still.setType(dataType('bool').code, []);
  body.addOutput(still);
  body.addOutput(after);
  attach(loop, 'body', body);
  graph.append(loop);
  return row4(graph, loop.output()!, base, type);
}

/** What an optional holds, or no element at all. */
function opened(graph: Graph, optional: Value, type: DataTypeName, isSequence: boolean): Value {
  const base = optional.name;
  const has = emit(graph, 'OptionalHasElement', [optional], `${base}/has`);
  const branch = graph.makeNode('If', [has], { name: `${base}/If`, outputs: [`${base}/held`] });
  const full = new Graph(`${base}/full`, graph.names, branch);
  const held = emit(full, 'OptionalGetElement', [optional], `${base}/element`);
  full.addOutput(isSequence ? flattened(full, held, type) : row4(full, held, base, type));
  const empty = new Graph(`${base}/empty`, graph.names, branch);
  const none = empty.addInitializer(nothing(`${base}/nothing`, type));
  empty.addOutput(row4(empty, none, `${base}/none`, type));
  attach(branch, 'then_branch', full);
  attach(branch, 'else_branch', empty);
  graph.append(branch);
  branch.output()!.setType(dataType(type).code, [1, 1, 1, null]);
  return branch.output()!;
}

function row4(graph: Graph, value: Value, base: string, type: DataTypeName): Value {
  const row = emit(graph, 'Reshape', [value, integers(graph, `${base}/shape`, [1, 1, 1, -1])], `${base}/tensor`);
  row.setType(dataType(type).code, [1, 1, 1, null]);
  return row;
}

function nothing(name: string, type: DataTypeName): Tensor {
  if (type === 'string') return Tensor.fromProto({ name, dims: [0n], dataType: dataType(type).code, stringData: [] });
  const { array } = dataType(type);
  return Tensor.of(name, type, [0], new array(new ArrayBuffer(0)));
}

function integers(graph: Graph, name: string, values: readonly number[]): Value {
  return graph.addInitializer(Tensor.of(name, 'int64', [values.length], BigInt64Array.from(values, BigInt)));
}

function emit(graph: Graph, opType: string, inputs: readonly Value[], output: string): Value {
  return graph.append(graph.makeNode(opType, inputs, { name: `${output}/${opType}`, outputs: [output] })).output()!;
}

function attach(node: Node, name: string, value: Graph): void {
  node.attributes.set(name, { kind: 'graph', value });
}

/** A session with float32 in the place of float16 inputs and outputs. */
export function withFloat32Ports(session: Session): Session {
  const isHalf = ({ type }: InputInfo): boolean => type === 'float16';
  const widened = (info: InputInfo): InputInfo => (isHalf(info) ? { ...info, type: 'float32' } : info);
  const isDouble = ({ type }: InputInfo): boolean => type === 'float64';
  if (![...session.inputs, ...session.outputs].some((port) => isHalf(port) || isDouble(port))) {
    // A feed of another float type is the exception, and costs a look at each otherwise.
    return { ...session, run: (feeds, fetch, into) => session.run(narrowedFor(session, feeds), fetch, into) };
  }
  return {
    ...session,
    inputs: session.inputs.map(widened),
    outputs: session.outputs.map(widened),
    async run(feeds, fetch) {
      const results = await session.run(narrowedFor(session, feeds), fetch);
      return Object.fromEntries(
        Object.entries(results).map(([name, value]) => [name, value.type === 'float16' ? widenedValue(value) : value]),
      );
    },
    dispose: () => session.dispose(),
  };
}

/** Feeds of one float type as the session takes them: two models compared may want different ones. */
export function narrowedFor(
  { inputs }: Session,
  feeds: Readonly<Record<string, TensorValue>>,
): Record<string, TensorValue> {
  const types = new Map(inputs.map(({ name, type }) => [name, type]));
  const fitted = ([name, value]: [string, TensorValue]): [string, TensorValue] => {
    const type = types.get(name);
    if (type === undefined || type === value.type || !floats.has(type) || !floats.has(value.type)) return [name, value];
    return [name, { type, dims: value.dims, data: convert(value.data, value.type, type) }];
  };
  return Object.fromEntries(Object.entries(feeds).map(fitted));
}

const floats: ReadonlySet<string> = new Set(['float16', 'float32', 'float64']);

/** onnxruntime-node hands out float16 as its bits, or where the host has one as a Float16Array. */
function widenedValue({ dims, data }: TensorValue): TensorValue {
  const bits =
    data instanceof Uint16Array ? data : new Uint16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length);
  return { type: 'float32', dims, data: toFloat32(bits, float16ToFloat32) };
}
