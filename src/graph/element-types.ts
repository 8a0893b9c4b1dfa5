/**
 * Element types of the values of a model, as far as telling float tensors from integer ones needs them. Files need not
 * declare the types of inner values, and onnxruntime does not, so they are derived from the operators.
 */
import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import type { Node } from './node.ts';
import type { Value } from './value.ts';
import { topological } from './walk.ts';
import { dataTypeOfCode, type DataTypeName } from '../onnx/data-types.ts';
import type { TypeProto } from '../onnx/messages.ts';
import { own } from './names.ts';

export type ElementTypes = ReadonlyMap<Value, DataTypeName>;

const lowBit: ReadonlySet<DataTypeName> = new Set<DataTypeName>([
  ...(['uint8', 'int8', 'uint16', 'int16', 'uint4', 'int4', 'uint2', 'int2'] as const),
]);
const floats: ReadonlySet<DataTypeName> = new Set<DataTypeName>(['float32', 'float16', 'float64', 'bfloat16']);

export const isLowBit = (type: DataTypeName | undefined): boolean => type !== undefined && lowBit.has(type);
export const isFloat = (type: DataTypeName | undefined): boolean => type !== undefined && floats.has(type);

/** Output types of operators that do not hand on the type of their first input; an operator with several lists them. */
const fixedTypes: Readonly<Record<string, readonly DataTypeName[]>> = {
  ...table('int64', ['Shape', 'Size', 'ArgMax', 'ArgMin', 'NonZero', 'NonMaxSuppression', 'SequenceLength']),
  ...table('bool', [
    'Equal',
    'Greater',
    'GreaterOrEqual',
    'Less',
    'LessOrEqual',
    'And',
    'Or',
    'Xor',
    'Not',
    'IsNaN',
    'IsInf',
    'OptionalHasElement',
  ]),
  ...table('int32', ['ConvInteger', 'MatMulInteger']),
  ...table('float32', [
    'MatMulIntegerToFloat',
    'DynamicQuantizeMatMul',
    'DynamicQuantizeLSTM',
    'QAttention',
    'MatMulNBits',
  ]),
  ...table('float32', [
    'QLinearSoftmaxToFloat',
    'GatherBlockQuantized',
    'QEmbedLayerNormalization',
    'RandomNormal',
    'RandomUniform',
  ]),
  // ai.onnx.ml: scores and features are float32 whatever goes in.
  ...table('float32', [
    'Scaler',
    'Normalizer',
    'LinearRegressor',
    'SVMRegressor',
    'TreeEnsembleRegressor',
    'OneHotEncoder',
    'FeatureVectorizer',
    'TfIdfVectorizer',
  ]),
  DynamicQuantizeLinear: ['uint8', 'float32', 'uint8'],
};

function table(type: DataTypeName, ops: readonly string[]): Record<string, readonly DataTypeName[]> {
  return Object.fromEntries(ops.map((op) => [op, [type]]));
}

export function elementTypes(model: Model): ElementTypes {
  return valueTypes(model).types;
}

export interface ValueTypes {
  /** Of tensors. */
  readonly types: ElementTypes;
  /** Sequences, optionals and maps, with the type of the tensors in them as far as it is known. */
  readonly containers: ReadonlyMap<Value, DataTypeName | undefined>;
}

export function valueTypes(model: Model): ValueTypes {
  const types = new Map<Value, DataTypeName>();
  const containers = new Map<Value, DataTypeName | undefined>();
  typeGraph(model.graph, types, containers);
  return { types, containers };
}

type Containers = Map<Value, DataTypeName | undefined>;

function typeGraph(graph: Graph, types: Map<Value, DataTypeName>, containers: Containers): void {
  for (const value of graph.values.values()) {
    if (value.type !== undefined) types.set(value, value.type);
    else if (value.info?.type && isContainer(value.info.type)) containers.set(value, contentOf(value.info.type));
  }
  const handOn = (from: Value | undefined, to: Value): void => {
    if (!from || types.has(to) || containers.has(to)) return;
    if (containers.has(from)) containers.set(to, containers.get(from));
    else if (types.has(from)) types.set(to, types.get(from)!);
  };
  for (const node of topological(graph)) {
    const bodies = [...node.subgraphs()];
    for (const body of bodies) {
      feedBody(node, body, types, containers, handOn);
      typeGraph(body, types, containers);
    }
    node.outputs.forEach((value, index) => {
      if (value === null || types.has(value) || containers.has(value)) return;
      const inner = bodies[0]?.outputs.at(index - node.outputs.length);
      if (inner && node.opType !== 'SequenceMap') return handOn(inner, value);
      const held = contentMade(node, bodies[0], index, types, containers);
      if (held !== undefined) {
        containers.set(value, held === 'unknown' ? undefined : held);
        return;
      }
      const within = readsContainer.has(node.opType) ? containers.get(node.input(0)!) : undefined;
      const type = within ?? typeOfOutput(node, index, types);
      if (type !== undefined) types.set(value, type);
      else if (node.is('Identity')) handOn(node.input(0), value);
    });
  }
}

/** What a body is given, where its inputs do not say. */
function feedBody(
  node: Node,
  body: Graph,
  types: Map<Value, DataTypeName>,
  containers: Containers,
  handOn: (from: Value | undefined, to: Value) => void,
): void {
  body.inputs.forEach((value, index) => {
    if (value.info?.type !== undefined) return;
    const from = node.input(index);
    if (node.opType !== 'SequenceMap') return handOn(from, value);
    const held = from && containers.get(from);
    if (held !== undefined) types.set(value, held);
  });
}

export function isContainer({ sequenceType, optionalType, mapType }: TypeProto): boolean {
  return sequenceType !== undefined || optionalType !== undefined || mapType !== undefined;
}

/** The element type of the tensors in a sequence or an optional, at any depth. */
function contentOf({ tensorType, sequenceType, optionalType }: TypeProto): DataTypeName | undefined {
  const inner = sequenceType?.elemType ?? optionalType?.elemType;
  return inner ? contentOf(inner) : dataTypeOfCode(tensorType?.elemType ?? 0)?.name;
}

/** Operators whose result is a tensor out of a container. An optional of a sequence gives a sequence: only declarations tell. */
const readsContainer: ReadonlySet<string> = new Set(['SequenceAt', 'ConcatFromSequence', 'OptionalGetElement']);

/** The type of what is in the container that the node makes, 'unknown' for maps; undefined when it makes none. */
function contentMade(
  node: Node,
  body: Graph | undefined,
  index: number,
  types: ElementTypes,
  containers: Containers,
): DataTypeName | 'unknown' | undefined {
  const first = node.input(0);
  switch (node.opType) {
    case 'SequenceConstruct':
    case 'SplitToSequence':
      return types.get(first!) ?? 'unknown';
    case 'SequenceInsert':
    case 'SequenceErase':
      return containers.get(first!) ?? 'unknown';
    case 'SequenceEmpty':
      return dataTypeOfCode(node.int('dtype', 1))?.name ?? 'unknown';
    case 'Optional':
      return (first && (types.get(first) ?? containers.get(first))) ?? 'unknown';
    case 'SequenceMap':
      return types.get(body!.outputs[index]!) ?? 'unknown';
    case 'ZipMap':
      return 'unknown';
    default:
      return undefined;
  }
}

function typeOfOutput(node: Node, index: number, types: ElementTypes): DataTypeName | undefined {
  const typeOf = (input: number): DataTypeName | undefined => types.get(node.input(input)!);
  const fixed = own(fixedTypes, node.opType);
  if (fixed) return fixed[index] ?? fixed[0];
  if (node.opType.startsWith('QLinear') || (node.opType === 'QGemm' && node.input(8) !== undefined)) {
    return node.inputs.map((value) => types.get(value!)).find(isLowBit);
  }
  switch (node.opType) {
    case 'QGemm':
      return 'float32';
    case 'QuantizeLinear':
      return typeOf(2) ?? dataTypeOfCode(node.int('output_dtype', 0))?.name ?? 'uint8';
    case 'DequantizeLinear':
      return typeOf(1);
    case 'Cast':
      return dataTypeOfCode(node.int('to', 0))?.name;
    case 'Constant':
    case 'ConstantOfShape':
      return (
        node.tensor('value')?.type.name ??
        (node.attributes.has('value_ints') || node.attributes.has('value_int') ? 'int64' : 'float32')
      );
    case 'Where':
    case 'CastLike':
      return typeOf(1);
    case 'OneHot':
      return typeOf(2);
    case 'TopK':
    case 'MaxPool':
      return index === 1 ? 'int64' : typeOf(0);
    default:
      return typeOf(0);
  }
}
