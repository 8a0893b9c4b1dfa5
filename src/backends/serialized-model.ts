/**
 * A model in the form that onnxruntime opens fastest: a buffer of some kilobytes, and large constants beside it as external data. That
 * saves a copy and a decoding of all weights in every session.
 *
 * Constants that lie unchanged in the file they were read from are pointed at there: nothing is copied, onnxruntime maps the file, and
 * single files above its 2 GiB limit run; the other constants then travel in the buffer, because onnxruntime looks in one of the two places
 * alone. Where more bytes are in memory than in the file, all are passed as they lie in memory, without being encoded and decoded, and the
 * limit holds for each of them, not for all. onnxruntime follows links and refuses what they lead to outside its folder: so the folder is
 * that of the files themselves (a model downloaded by Hugging Face's tools is a link into a folder of blobs).
 */
import { realpathSync } from 'node:fs';
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

/** What a session is created from. It is plain data, which can be sent to a worker. */
export interface SerializedModel {
  readonly bytes: Uint8Array;
  /** Folder in which onnxruntime looks for the external data; undefined when none of it is in files. */
  readonly folder: string | undefined;
  /** External data in memory: by the name under which the buffer asks for it. */
  readonly memory: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** The arrays that were made here; the others are the model's. */
  readonly own: readonly Uint8Array[];
}

/** An initializer of the main graph. */
interface Constant {
  /** The whole tensor; of a large one its name, type and shape alone. */
  readonly proto: TensorProto;
  readonly bytes: number;
  /** The elements of a large one. */
  readonly payload?: Payload;
  /** The file that the payload lies in, if onnxruntime can be sent there. */
  readonly file?: string | undefined;
}

/** Serializes a model. @param name as errors call it @throws BACKEND_TOO_LARGE, BACKEND_CONSTANT_TOO_LARGE */
export function serializeModel(model: Model, name: string): SerializedModel {
  const proto: ModelProto = { ...modelToProto(model) };
  const fromBodies = pointsFromBodies(model);
  const files = new Files(fromBodies ? realpathSync(model.dir!) : undefined);
  const constants = (proto.graph?.initializer ?? []).map((each) => constantOf(model, each, files));
  const filed = bytesOf(constants.filter(({ file }) => file));
  const inMemory = bytesOf(constants.filter(({ payload, file }) => payload && !file));
  const inFile = (filed > 0 && filed >= inMemory) || fromBodies;
  const inBuffer = bytesOf(constants.filter(({ payload, file }) => (inFile ? !file : !payload)));
  if (inBuffer > maximum) throw backendErrors.tooLarge(name, inBuffer);

  const memory: { path: string; data: Uint8Array }[] = [];
  const own: Uint8Array[] = [];
  const initializer = constants.map(({ proto: each, payload, file }): TensorProto => {
    if (!payload) return each;
    if (inFile) return file ? pointer(each, basename(file), payload as FileRange) : { ...each, rawData: payload };
    if (payload.byteLength > maximum) throw backendErrors.constantTooLarge(name, each.name!, payload.byteLength);
    const path = `constant ${memory.length} in memory`;
    const data = payload instanceof Uint8Array ? payload : read(payload);
    if (data !== payload) own.push(data);
    memory.push({ path, data });
    return pointer(each, path, { offset: 0, byteLength: data.length });
  });
  if (proto.graph) proto.graph = { ...proto.graph, initializer };
  const bytes = encodeModel(proto);
  return { bytes, folder: inFile ? files.folder : undefined, memory, own: [bytes, ...own] };
}

/** Where files really lie: onnxruntime looks in one folder. */
class Files {
  /** Undefined until the first file decides. */
  folder: string | undefined;
  readonly #real = new Map<string, string>();

  constructor(folder: string | undefined) {
    this.folder = folder;
  }

  /** The path behind all links, unless that is in another folder. */
  find(path: string): string | undefined {
    let real = this.#real.get(path);
    if (real === undefined) this.#real.set(path, (real = realpathSync(path)));
    this.folder ??= dirname(real);
    return dirname(real) === this.folder ? real : undefined;
  }
}

function constantOf({ graph, dir }: Model, proto: TensorProto, files: Files): Constant {
  const tensor = graph.values.get(proto.name ?? '')?.initializer;
  if (!tensor) return { proto, bytes: 0 };
  const { name, type, dims, byteLength: bytes } = tensor;
  if (bytes < minimumExternal || type.name === 'string') {
    const here = proto.dataLocation === 1 ? Tensor.of(name, type.name, [...dims], tensor.data()).toProto() : proto;
    return { proto: here, bytes };
  }
  const payload = tensor.payload();
  const near = payload instanceof FileRange && dir !== undefined && dirname(resolve(payload.path)) === resolve(dir);
  const file = near ? files.find(payload.path) : undefined;
  return { proto: { dims: [...dims], dataType: type.code, name }, bytes, payload, file };
}

/** Whether constants in bodies lie in files: bodies are left as they are, so the folder of the model must be the one to look in. */
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
