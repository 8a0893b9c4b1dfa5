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

export type ElementTypes = ReadonlyMap<Value, DataTypeName>;

const lowBit: ReadonlySet<DataTypeName> = new Set<DataTypeName>([
  ...(['uint8', 'int8', 'uint16', 'int16', 'uint4', 'int4', 'uint2', 'int2'] as const),
]);
const floats: ReadonlySet<DataTypeName> = new Set<DataTypeName>(['float32', 'float16', 'float64', 'bfloat16']);

export const isLowBit = (type: DataTypeName | undefined): boolean => type !== undefined && lowBit.has(type);
export const isFloat = (type: DataTypeName | undefined): boolean => type !== undefined && floats.has(type);

/** Output types of operators that do not hand on the type of their first input; an operator with several lists them. */
const fixedTypes: Readonly<Record<string, readonly DataTypeName[]>> = {
  ...table('int64', ['Shape', 'Size', 'ArgMax', 'ArgMin', 'NonZero', 'NonMaxSuppression']),
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
  DynamicQuantizeLinear: ['uint8', 'float32', 'uint8'],
};

function table(type: DataTypeName, ops: readonly string[]): Record<string, readonly DataTypeName[]> {
  return Object.fromEntries(ops.map((op) => [op, [type]]));
}

export function elementTypes(model: Model): ElementTypes {
  const types = new Map<Value, DataTypeName>();
  typeGraph(model.graph, types);
  return types;
}

function typeGraph(graph: Graph, types: Map<Value, DataTypeName>): void {
  for (const value of graph.values.values()) if (value.type !== undefined) types.set(value, value.type);
  for (const node of topological(graph)) {
    const bodies = [...node.subgraphs()];
    for (const body of bodies) typeGraph(body, types);
    node.outputs.forEach((value, index) => {
      if (value === null || types.has(value)) return;
      const inner = bodies[0]?.outputs.at(index - node.outputs.length);
      const type = inner === undefined ? typeOfOutput(node, index, types) : types.get(inner);
      if (type !== undefined) types.set(value, type);
    });
  }
}

function typeOfOutput(node: Node, index: number, types: ElementTypes): DataTypeName | undefined {
  const typeOf = (input: number): DataTypeName | undefined => types.get(node.input(input)!);
  const fixed = fixedTypes[node.opType];
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
