/** ModelProto ⇄ bytes, in memory or lazily over a source. Decoding checks the wire format, not the graph. */
import { QdqError } from '../errors/qdq-error.ts';
import { onnxErrors } from '../errors/onnx.ts';
import { copyInto, MemoryBytes, type RangeSource } from './bytes.ts';
import type { ModelProto, TensorProto } from './messages.ts';
import { SourceReader } from './reader.ts';
import { codec } from './schema.ts';
import { SegmentWriter } from './writer.ts';
import { wrongFormat } from './wrong-format.ts';

/** Largest message that protobuf readers, onnxruntime among them, accept. */
export const protobufLimit = 2 ** 31 - 1;

/**
 * Decodes a model. Large payloads stay ranges of `source`, which must not change while the model is in use.
 * @param name what errors call the model
 * @throws ONNX_WRONG_FORMAT, ONNX_TRUNCATED, ONNX_MALFORMED, ONNX_NO_GRAPH
 */
export function decodeModel(source: Uint8Array | RangeSource, name = 'model'): ModelProto {
  const bytes = source instanceof Uint8Array ? new MemoryBytes(source) : source;
  const reader = new SourceReader(bytes, name);
  let model: ModelProto;
  try {
    model = codec('ModelProto').decode(reader);
  } catch (error) {
    throw wrongFormat(bytes, name) ?? wireError(error, name, reader.pos);
  }
  if (!model.graph) throw wrongFormat(bytes, name) ?? onnxErrors.noGraph(name);
  return model;
}

/** Encodes a model into one array, as a session or a socket wants it. @throws ONNX_TOO_LARGE beyond 2 GiB */
export function encodeModel(model: ModelProto): Uint8Array {
  const writer = writeModel(model);
  if (writer.byteLength > protobufLimit) throw onnxErrors.tooLarge('encoded model', writer.byteLength);
  const bytes = new Uint8Array(writer.byteLength);
  let at = 0;
  for (const segment of writer.segments()) {
    copyInto(segment, 0, bytes.subarray(at, at + segment.byteLength));
    at += segment.byteLength;
  }
  return bytes;
}

/** Encodes a model into segments; `replaced` gives tensors to be written in place of others. */
export function writeModel(model: ModelProto, replaced?: ReadonlyMap<TensorProto, TensorProto>): SegmentWriter {
  return codec('ModelProto').encode(model, new SegmentWriter(replaced));
}

/** Takes a ModelProto of the npm package onnx-proto (ONNX 1.10), through that package's own encoder. */
export function fromOnnxProto(model: object): ModelProto {
  const { encode } = model.constructor as { encode?: (model: object) => { finish(): Uint8Array } };
  if (typeof encode !== 'function') throw onnxErrors.notOnnxProto();
  return decodeModel(encode(model).finish(), 'onnx-proto model');
}

/** The generated code throws bare errors; everything else is a defect of ours and passes through. */
function wireError(error: unknown, name: string, offset: number): unknown {
  const bare =
    error instanceof Error && !(error instanceof QdqError) && [Error, RangeError].includes(error.constructor as never);
  return bare ? onnxErrors.malformed(name, offset, error.message) : error;
}
