/**
 * Small models for tests, written as data:
 *
 *   buildModel({
 *     inputs: { x: [1, 3, 'h', 'w'] },
 *     initializers: { w: f32([8, 3, 3, 3]), axes: i64([1]) },
 *     nodes: [node('Conv', ['x', 'w'], ['y'], { pads: [1, 1, 1, 1] })],
 *     outputs: { y: [1, 8, 'h', 'w'] },
 *   })
 *
 * `buildProto` gives the message, `buildModel` the IR. Numbers in attributes are ints when whole; wrap floats in
 * `float`.
 */
import { modelFromProto } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { dataType, elementCount, type DataTypeName, type TypedArray } from '../../src/onnx/data-types.ts';
import {
  attributeTypes,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from '../../src/onnx/messages.ts';

export type DimSpec = number | string | null;
/** Dimensions of a float32 value, or the full type; without dims the rank is unknown. */
export type ValueSpec = readonly DimSpec[] | { readonly type: DataTypeName; readonly dims?: readonly DimSpec[] };

/** A constant: dims and content in row-major order. */
export interface Constant {
  readonly type: DataTypeName;
  readonly dims: readonly number[];
  readonly data: TypedArray | readonly string[];
}

export interface GraphSpec {
  readonly name?: string;
  readonly inputs?: Readonly<Record<string, ValueSpec>>;
  /** Values with their types, or bare names when no type is to be declared. */
  readonly outputs: Readonly<Record<string, ValueSpec>> | readonly string[];
  readonly initializers?: Readonly<Record<string, Constant>>;
  readonly nodes: readonly NodeProto[];
  /** value_info records. */
  readonly values?: Readonly<Record<string, ValueSpec>>;
}

export interface ModelSpec extends GraphSpec {
  /** Version of the default operator set; default 17. */
  readonly opset?: number;
  /** Versions of other domains. */
  readonly domains?: Readonly<Record<string, number>>;
  readonly irVersion?: number;
  /** Names of initializers that are graph inputs too, as IR 3 files have them. */
  readonly initializersAsInputs?: readonly string[];
}

export type AttributeSpec = number | string | Constant | Marked | readonly number[] | readonly string[];
type Marked = { readonly float: number } | { readonly floats: readonly number[] } | { readonly graph: GraphSpec };

export const float = (value: number): Marked => ({ float: value });
export const floats = (...values: number[]): Marked => ({ floats: values });
export const body = (graph: GraphSpec): Marked => ({ graph });

/** A constant of any numeric type; omitted data is a fixed pseudo-random pattern in [-1, 1]. */
export function constant(type: DataTypeName, dims: readonly number[], data?: Iterable<number>): Constant {
  const { array } = dataType(type);
  const size = elementCount(dims);
  const values = data ? [...data] : Array.from({ length: size }, (_, i) => Math.sin((i + 1) * 12.9898 + size));
  const elements = array === BigInt64Array || array === BigUint64Array ? values.map((v) => BigInt(v)) : values;
  return { type, dims, data: (array as unknown as { from(v: unknown): TypedArray }).from(elements) };
}

export const f32 = (dims: readonly number[], data?: Iterable<number>): Constant => constant('float32', dims, data);
/** A 1-D int64 tensor: axes, pads, shapes. */
export const i64 = (values: readonly number[]): Constant => constant('int64', [values.length], values);
export const scalar = (type: DataTypeName, value: number): Constant => constant(type, [], [value]);

/** `name` defaults to the first output, so that labels in logs are easy to expect. */
export function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeSpec>> = {},
  options: { readonly name?: string; readonly domain?: string } = {},
): NodeProto {
  return {
    input: [...inputs],
    output: [...outputs],
    name: options.name ?? `n_${outputs.find((output) => output !== '') ?? opType}`,
    opType,
    ...(options.domain === undefined ? {} : { domain: options.domain }),
    attribute: Object.entries(attributes).map(([name, value]) => attributeProto(name, value)),
  };
}

export function buildModel(spec: ModelSpec): Model {
  return modelFromProto(buildProto(spec));
}

export function buildProto(spec: ModelSpec): ModelProto {
  const graph = graphProto({ name: 'test', ...spec });
  for (const name of spec.initializersAsInputs ?? []) {
    const { type, dims } = spec.initializers![name]!;
    graph.input!.push(infoProto(name, { type, dims }));
  }
  const domains = Object.entries(spec.domains ?? {}).map(([domain, version]) => ({ domain, version }));
  return {
    irVersion: spec.irVersion ?? 8,
    opsetImport: [{ domain: '', version: spec.opset ?? 17 }, ...domains],
    graph,
  };
}

function graphProto(spec: GraphSpec): GraphProto {
  const infos = (values: Readonly<Record<string, ValueSpec>> = {}): ValueInfoProto[] =>
    Object.entries(values).map(([name, value]) => infoProto(name, value));
  return {
    node: [...spec.nodes],
    name: spec.name ?? 'body',
    initializer: Object.entries(spec.initializers ?? {}).map(([name, value]) => tensorProto(value, name)),
    input: infos(spec.inputs),
    output: isNames(spec.outputs) ? spec.outputs.map((name) => ({ name })) : infos(spec.outputs),
    valueInfo: infos(spec.values),
  };
}

function isNames(outputs: GraphSpec['outputs']): outputs is readonly string[] {
  return Array.isArray(outputs);
}

function infoProto(name: string, spec: ValueSpec): ValueInfoProto {
  const { type, dims } = 'type' in spec ? spec : { type: 'float32' as const, dims: spec };
  const dim = dims?.map((d) =>
    typeof d === 'number' ? { dimValue: d } : typeof d === 'string' ? { dimParam: d } : {},
  );
  return { name, type: { tensorType: { elemType: dataType(type).code, ...(dim ? { shape: { dim } } : {}) } } };
}

export function tensorProto({ type, dims, data }: Constant, name?: string): TensorProto {
  const head: TensorProto = { dims: [...dims], dataType: dataType(type).code, ...(name === undefined ? {} : { name }) };
  if (Array.isArray(data)) return { ...head, stringData: data.map((text: string) => new TextEncoder().encode(text)) };
  const { buffer, byteOffset, byteLength } = data as TypedArray;
  return { ...head, rawData: new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength) };
}

function attributeProto(name: string, value: AttributeSpec): AttributeProto {
  const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw new Error(`attribute '${name}': write float(${value})`);
    return { name, i: value, type: attributeTypes.int };
  }
  if (typeof value === 'string') return { name, s: utf8(value), type: attributeTypes.string };
  if ('float' in value) return { name, f: Math.fround(value.float), type: attributeTypes.float };
  if ('floats' in value) return { name, floats: value.floats.map(Math.fround), type: attributeTypes.floats };
  if ('graph' in value) return { name, g: graphProto(value.graph), type: attributeTypes.graph };
  if ('dims' in value) return { name, t: tensorProto(value), type: attributeTypes.tensor };
  const list = value as readonly (number | string)[];
  if (typeof list[0] === 'string') return { name, strings: (list as string[]).map(utf8), type: attributeTypes.strings };
  return { name, ints: [...(list as number[])], type: attributeTypes.ints };
}
