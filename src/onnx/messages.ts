/**
 * The messages of onnx.proto (IR 14) as the codec yields them: field names in camelCase (as onnx-proto has them),
 * absent fields undefined, unknown fields in `$unknowns`. Payload fields are byte ranges, never JS arrays of numbers.
 */

/** int64 fields: a number when it is a safe integer, else a bigint. */
export type Int64 = number | bigint;

/**
 * Bytes that need not be in memory: a range of a file, or bytes made on demand. `read` returns exactly `length` bytes;
 * the result may be a view and must not be written to. `readInto`, where a source has it, fills `target` instead.
 */
export interface ByteSource {
  readonly byteLength: number;
  read(offset: number, length: number): Uint8Array;
  readInto?(offset: number, target: Uint8Array): void;
}

/** Small payloads are plain bytes, large ones are sources. */
export type Payload = Uint8Array | ByteSource;

export interface Message {
  /** Fields the schema does not know, as raw tag+value bytes in the order met. */
  $unknowns?: Payload[];
}

export interface StringStringEntryProto extends Message {
  key?: string;
  value?: string;
}

export interface OperatorSetIdProto extends Message {
  domain?: string;
  version?: Int64;
}

export interface TensorProto extends Message {
  dims?: Int64[];
  dataType?: number;
  segment?: Message;
  /** Packed wire chunks of little-endian floats; several chunks concatenate. */
  floatData?: Payload[];
  /** Packed wire chunks of varints. */
  int32Data?: Payload[];
  stringData?: Uint8Array[];
  /** Packed wire chunks of varints. */
  int64Data?: Payload[];
  name?: string;
  docString?: string;
  rawData?: Payload;
  /** Packed wire chunks of little-endian doubles. */
  doubleData?: Payload[];
  /** Packed wire chunks of varints. */
  uint64Data?: Payload[];
  externalData?: StringStringEntryProto[];
  /** 0 default, 1 external. */
  dataLocation?: number;
  metadataProps?: StringStringEntryProto[];
}

export interface SparseTensorProto extends Message {
  values?: TensorProto;
  indices?: TensorProto;
  dims?: Int64[];
}

export interface DimensionProto extends Message {
  dimValue?: Int64;
  dimParam?: string;
  denotation?: string;
}

export interface TensorShapeProto extends Message {
  dim?: DimensionProto[];
}

export interface TypeProto extends Message {
  tensorType?: Message & { elemType?: number; shape?: TensorShapeProto };
  sequenceType?: Message & { elemType?: TypeProto };
  mapType?: Message & { keyType?: number; valueType?: TypeProto };
  optionalType?: Message & { elemType?: TypeProto };
  sparseTensorType?: Message & { elemType?: number; shape?: TensorShapeProto };
  opaqueType?: Message & { domain?: string; name?: string };
  denotation?: string;
}

export interface ValueInfoProto extends Message {
  name?: string;
  type?: TypeProto;
  docString?: string;
  metadataProps?: StringStringEntryProto[];
}

/** AttributeProto.AttributeType */
export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparseTensor: 11,
  sparseTensors: 12,
  typeProto: 13,
  typeProtos: 14,
} as const;

export interface AttributeProto extends Message {
  name?: string;
  refAttrName?: string;
  docString?: string;
  type?: number;
  f?: number;
  i?: Int64;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  sparseTensor?: SparseTensorProto;
  tp?: TypeProto;
  floats?: number[];
  ints?: Int64[];
  strings?: Uint8Array[];
  tensors?: TensorProto[];
  graphs?: GraphProto[];
  sparseTensors?: SparseTensorProto[];
  typeProtos?: TypeProto[];
}

export interface NodeProto extends Message {
  input?: string[];
  output?: string[];
  name?: string;
  opType?: string;
  domain?: string;
  overload?: string;
  attribute?: AttributeProto[];
  docString?: string;
  metadataProps?: StringStringEntryProto[];
  deviceConfigurations?: Message[];
}

export interface TensorAnnotation extends Message {
  tensorName?: string;
  quantParameterTensorNames?: StringStringEntryProto[];
}

export interface GraphProto extends Message {
  node?: NodeProto[];
  name?: string;
  initializer?: TensorProto[];
  sparseInitializer?: SparseTensorProto[];
  docString?: string;
  input?: ValueInfoProto[];
  output?: ValueInfoProto[];
  valueInfo?: ValueInfoProto[];
  quantizationAnnotation?: TensorAnnotation[];
  metadataProps?: StringStringEntryProto[];
}

export interface FunctionProto extends Message {
  name?: string;
  input?: string[];
  output?: string[];
  attribute?: string[];
  attributeProto?: AttributeProto[];
  node?: NodeProto[];
  docString?: string;
  opsetImport?: OperatorSetIdProto[];
  domain?: string;
  overload?: string;
  valueInfo?: ValueInfoProto[];
  metadataProps?: StringStringEntryProto[];
}

export interface TrainingInfoProto extends Message {
  initialization?: GraphProto;
  algorithm?: GraphProto;
  initializationBinding?: StringStringEntryProto[];
  updateBinding?: StringStringEntryProto[];
}

export interface ModelProto extends Message {
  irVersion?: Int64;
  opsetImport?: OperatorSetIdProto[];
  producerName?: string;
  producerVersion?: string;
  domain?: string;
  modelVersion?: Int64;
  docString?: string;
  graph?: GraphProto;
  metadataProps?: StringStringEntryProto[];
  trainingInfo?: TrainingInfoProto[];
  functions?: FunctionProto[];
  configuration?: Message[];
}
