/**
 * Models and their files: the door to this room. Loading reads the skeleton of the file and leaves large tensors where
 * they are, so the file must not be changed while the model is in use.
 */
import { decodeModel } from './codec.ts';
import { externalPath, isExternal } from './external.ts';
import { folderOf, sourceFile, type SourceFile } from './file.ts';
import type { ModelProto } from './messages.ts';
import { modelTensors } from './model-tensors.ts';
import { origins } from './save-model.ts';

export { decodeModel, encodeModel, fromOnnxProto } from './codec.ts';
export { saveModel, type SavedModel, type SaveOptions } from './save-model.ts';

export class ModelFile {
  readonly proto: ModelProto;
  /** As the user gave it. */
  readonly path: string;
  /** The folder, absolute: external data is found here. */
  readonly dir: string;
  /** Of the model file, without external data. */
  readonly byteLength: number;
  readonly #file: SourceFile;
  #sha256: string | undefined;

  constructor(proto: ModelProto, path: string, file: SourceFile) {
    this.proto = proto;
    this.path = path;
    this.dir = folderOf(path);
    this.byteLength = file.byteLength;
    this.#file = file;
  }

  /** Of the model file, in hex, computed at the first call. External data has its own hashes. */
  sha256(): string {
    return (this.#sha256 ??= this.#file.sha256());
  }

  /** Absolute paths of the files that hold external data, in the order of first use. */
  externalFiles(): string[] {
    const external = [...modelTensors(this.proto)].filter(({ proto }) => isExternal(proto));
    return [...new Set(external.map(({ proto }) => externalPath(proto, this.dir)))];
  }

  /** Releases the file; tensors read later open it again. */
  close(): void {
    this.#file.close();
  }
}

/**
 * @throws ONNX_NOT_FOUND, ONNX_NOT_A_FILE, ONNX_UNREADABLE, ONNX_WRONG_FORMAT, ONNX_TRUNCATED, ONNX_MALFORMED,
 * ONNX_NO_GRAPH
 */
export function loadModel(path: string): ModelFile {
  const file = sourceFile(path);
  const proto = decodeModel(file, path);
  origins.set(proto, path);
  return new ModelFile(proto, path, file);
}
