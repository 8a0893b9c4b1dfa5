/**
 * A model as onnxruntime takes it fastest: a small buffer, and large constants beside it as external data. Those that lie unchanged
 * in the file they were read from are pointed at there: nothing is copied, onnxruntime maps the file, and single files above its 2 GiB
 * limit run. The others go as they lie in memory, without being encoded and decoded; the limit holds for each of them, not for all.
 */
import { basename, dirname, resolve } from 'node:path';
import { backendErrors } from '../errors/backends.ts';
import { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import { modelToProto } from '../graph/to-proto.ts';
import { copyInto } from '../onnx/bytes.ts';
import { FileRange } from '../onnx/file.ts';
import type { ByteSource, GraphProto, ModelProto, Payload, TensorProto } from '../onnx/messages.ts';
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
  /** Those of its arrays that were made for the stub; the others are the model's. */
  readonly own: readonly Uint8Array[];
}

interface Progress {
  readonly name: string;
  readonly folder: string | undefined;
  readonly memory: { path: string; data: Uint8Array }[];
  readonly own: Uint8Array[];
  external: boolean;
  inline: number;
}

export function makeStub(model: Model, name: string): Stub {
  const folder = model.dir === undefined ? undefined : resolve(model.dir);
  const proto: ModelProto = { ...modelToProto(model) };
  const state: Progress = { name, folder, memory: [], own: [], external: false, inline: 0 };
  if (proto.graph) proto.graph = stubGraph(proto.graph, model.graph, state);
  if (state.inline > maximum) throw backendErrors.tooLarge(name, state.inline);
  const bytes = encodeModel(proto);
  const { external, memory, own } = state;
  return { bytes, folder: external ? folder : undefined, memory, own: [bytes, ...own] };
}

function stubGraph(proto: GraphProto, graph: Graph, state: Progress): GraphProto {
  const initializer = (proto.initializer ?? []).map((tensorProto) => {
    const tensor = graph.values.get(tensorProto.name ?? '')?.initializer;
    return tensor ? stubTensor(tensor, tensorProto, state) : tensorProto;
  });
  return { ...proto, initializer };
}

function stubTensor(tensor: Tensor, proto: TensorProto, state: Progress): TensorProto {
  if (tensor.byteLength < minimumExternal || tensor.type.name === 'string') {
    state.inline += tensor.byteLength;
    return proto.dataLocation === 1
      ? Tensor.of(tensor.name, tensor.type.name, [...tensor.dims], tensor.data()).toProto()
      : proto;
  }
  const payload: Payload = tensor.payload();
  const inFile = payload instanceof FileRange && dirname(resolve(payload.path)) === state.folder;
  if (inFile) state.external = true;
  else if (payload.byteLength > maximum)
    throw backendErrors.constantTooLarge(state.name, tensor.name, payload.byteLength);
  const path = inFile ? basename(payload.path) : `constant ${state.memory.length} in memory`;
  if (!inFile) state.memory.push({ path, data: payload instanceof Uint8Array ? payload : read(payload, state) });
  return {
    dims: [...tensor.dims],
    dataType: tensor.type.code,
    name: tensor.name,
    dataLocation: 1,
    externalData: [
      { key: 'location', value: path },
      { key: 'offset', value: String(inFile ? payload.offset : 0) },
      { key: 'length', value: String(payload.byteLength) },
    ],
  };
}

function read(source: ByteSource, { own }: Progress): Uint8Array {
  const bytes = new Uint8Array(source.byteLength);
  copyInto(source, 0, bytes);
  own.push(bytes);
  return bytes;
}
