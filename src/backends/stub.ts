/**
 * A model as onnxruntime takes it fastest: a small buffer whose large constants point, as external data, into the file they
 * were read from. Nothing is copied, onnxruntime maps the file, and single files above its 2 GiB limit run.
 */
import { basename, dirname, resolve } from 'node:path';
import { backendErrors } from '../errors/backends.ts';
import { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import { modelToProto } from '../graph/to-proto.ts';
import { FileRange } from '../onnx/file.ts';
import type { GraphProto, ModelProto, Payload, TensorProto } from '../onnx/messages.ts';
import { encodeModel } from '../onnx/model-file.ts';
import { Tensor } from '../onnx/tensor.ts';

/** Below this size a constant travels in the buffer: onnxruntime wants small shape constants at hand. */
const minimumExternal = 4096;
/** protobuf's limit, less room for the rest of the message. */
const maximumInline = 2 ** 31 - 2 ** 24;

export interface Stub {
  readonly bytes: Uint8Array;
  /** Folder in which onnxruntime looks for the external data; undefined when everything is inline. */
  readonly folder: string | undefined;
}

export function makeStub(model: Model, name: string): Stub {
  const folder = model.dir === undefined ? undefined : resolve(model.dir);
  const proto: ModelProto = { ...modelToProto(model) };
  const state = { inline: 0, external: false };
  if (proto.graph) proto.graph = stubGraph(proto.graph, model.graph, folder, state);
  if (state.inline > maximumInline) throw backendErrors.tooLarge(name, state.inline);
  return { bytes: encodeModel(proto), folder: state.external ? folder : undefined };
}

function stubGraph(
  proto: GraphProto,
  graph: Graph,
  folder: string | undefined,
  state: { inline: number; external: boolean },
): GraphProto {
  const initializer = (proto.initializer ?? []).map((tensorProto) => {
    const tensor = graph.values.get(tensorProto.name ?? '')?.initializer;
    return tensor ? stubTensor(tensor, tensorProto, folder, state) : tensorProto;
  });
  return { ...proto, initializer };
}

function stubTensor(
  tensor: Tensor,
  proto: TensorProto,
  folder: string | undefined,
  state: { inline: number; external: boolean },
): TensorProto {
  if (tensor.byteLength < minimumExternal || tensor.type.name === 'string') {
    state.inline += tensor.byteLength;
    return proto.dataLocation === 1
      ? Tensor.of(tensor.name, tensor.type.name, [...tensor.dims], tensor.data()).toProto()
      : proto;
  }
  const payload: Payload = tensor.payload();
  if (payload instanceof FileRange && folder !== undefined && dirname(resolve(payload.path)) === folder) {
    state.external = true;
    return {
      dims: [...tensor.dims],
      dataType: tensor.type.code,
      name: tensor.name,
      dataLocation: 1,
      externalData: [
        { key: 'location', value: basename(payload.path) },
        { key: 'offset', value: String(payload.offset) },
        { key: 'length', value: String(payload.byteLength) },
      ],
    };
  }
  state.inline += tensor.byteLength;
  return { dims: [...tensor.dims], dataType: tensor.type.code, name: tensor.name, rawData: payload };
}
