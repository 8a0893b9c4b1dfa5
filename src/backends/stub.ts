/**
 * A model as onnxruntime takes it fastest: a small buffer, and large constants beside it as external data. Those that lie unchanged in
 * the file they were read from are pointed at there: nothing is copied, onnxruntime maps the file, and single files above its 2 GiB
 * limit run; the others then travel in the buffer. Where more is in memory than in the file, all are passed as they lie in memory,
 * without being encoded and decoded, and the limit holds for each of them, not for all. onnxruntime looks in one of the two places
 * alone.
 */
import { basename, dirname, resolve } from 'node:path';
import { backendErrors } from '../errors/backends.ts';
import type { Model } from '../graph/model.ts';
import { modelToProto } from '../graph/to-proto.ts';
import { copyInto } from '../onnx/bytes.ts';
import { FileRange } from '../onnx/file.ts';
import type { ByteSource, ModelProto, Payload, TensorProto } from '../onnx/messages.ts';
import { encodeModel } from '../onnx/model-file.ts';
import { Tensor } from '../onnx/tensor.ts';

/** Below this size a constant travels in the buffer: onnxruntime wants small shape constants at hand. */
const minimumExternal = 4096;
/** Bytes of one constant in memory, and of those in the buffer together: protobuf's limit, less room for the rest of the message. */
const maximum = 2 ** 31 - 2 ** 24;

export interface Stub {
  readonly bytes: Uint8Array;
  /** Folder in which onnxruntime looks for the external data; undefined when none of it is in files. */
  readonly folder: string | undefined;
  /** External data in memory: by the name under which the buffer asks for it. */
  readonly memory: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** The arrays that were made for the stub; the others are the model's. */
  readonly own: readonly Uint8Array[];
}

/** An initializer of the main graph. */
interface Constant {
  /** Whole, or of a large one what it is without its elements. */
  readonly proto: TensorProto;
  readonly bytes: number;
  /** Of a large one. */
  readonly payload?: Payload;
  /** The payload, if it lies in the folder of the model. */
  readonly range?: FileRange | undefined;
}

/** @throws BACKEND_TOO_LARGE, BACKEND_CONSTANT_TOO_LARGE */
export function makeStub(model: Model, name: string): Stub {
  const proto: ModelProto = { ...modelToProto(model) };
  const constants = (proto.graph?.initializer ?? []).map((each) => constantOf(model, each));
  const filed = bytesOf(constants.filter(({ range }) => range));
  const inMemory = bytesOf(constants.filter(({ payload, range }) => payload && !range));
  const inFile = (filed > 0 && filed >= inMemory) || pointsFromBodies(model);
  const inBuffer = bytesOf(constants.filter(({ payload, range }) => (inFile ? !range : !payload)));
  if (inBuffer > maximum) throw backendErrors.tooLarge(name, inBuffer);

  const memory: { path: string; data: Uint8Array }[] = [];
  const own: Uint8Array[] = [];
  const initializer = constants.map(({ proto: each, payload, range }): TensorProto => {
    if (!payload) return each;
    if (inFile) return range ? pointer(each, basename(range.path), range) : { ...each, rawData: payload };
    if (payload.byteLength > maximum) throw backendErrors.constantTooLarge(name, each.name!, payload.byteLength);
    const path = `constant ${memory.length} in memory`;
    const data = payload instanceof Uint8Array ? payload : read(payload);
    if (data !== payload) own.push(data);
    memory.push({ path, data });
    return pointer(each, path, { offset: 0, byteLength: data.length });
  });
  if (proto.graph) proto.graph = { ...proto.graph, initializer };
  const bytes = encodeModel(proto);
  return { bytes, folder: inFile ? resolve(model.dir!) : undefined, memory, own: [bytes, ...own] };
}

function constantOf({ graph, dir }: Model, proto: TensorProto): Constant {
  const tensor = graph.values.get(proto.name ?? '')?.initializer;
  if (!tensor) return { proto, bytes: 0 };
  const { name, type, dims, byteLength: bytes } = tensor;
  if (bytes < minimumExternal || type.name === 'string') {
    const here = proto.dataLocation === 1 ? Tensor.of(name, type.name, [...dims], tensor.data()).toProto() : proto;
    return { proto: here, bytes };
  }
  const payload = tensor.payload();
  const near = payload instanceof FileRange && dir !== undefined && dirname(resolve(payload.path)) === resolve(dir);
  return { proto: { dims: [...dims], dataType: type.code, name }, bytes, payload, range: near ? payload : undefined };
}

/** Bodies are left as they are. */
function pointsFromBodies({ graph, dir }: Model): boolean {
  const bodies = dir === undefined ? [] : [...graph.graphs()].filter((each) => each !== graph);
  const inBodies = bodies.flatMap((body) => [...body.values.values()]);
  return inBodies.some(({ initializer }) => initializer?.toProto().dataLocation === 1);
}

function bytesOf(constants: readonly Constant[]): number {
  return constants.reduce((sum, { bytes }) => sum + bytes, 0);
}

function pointer(
  proto: TensorProto,
  location: string,
  { offset, byteLength }: { readonly offset: number; readonly byteLength: number },
): TensorProto {
  const entries = { location, offset: String(offset), length: String(byteLength) };
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return { ...proto, dataLocation: 1, externalData };
}

function read(source: ByteSource): Uint8Array {
  const bytes = new Uint8Array(source.byteLength);
  copyInto(source, 0, bytes);
  return bytes;
}
