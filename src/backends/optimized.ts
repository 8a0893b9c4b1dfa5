/** The graph that onnxruntime makes of a model and really runs: a session writes it into a file for a while, which is read back. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { modelFromProto } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import { onInterrupt } from '../interrupt.ts';
import { loadModel } from '../onnx/model-file.ts';
import type { SessionOptions } from './options.ts';
import { temporaryFolder } from './temporary.ts';

export class OptimizedGraph {
  readonly #folder = temporaryFolder('qdq-');
  readonly #path = join(this.#folder, 'optimized.onnx');
  readonly #release = onInterrupt(() => this.#clear());

  /** What makes a session write it. */
  get options(): SessionOptions {
    return { optimizedModelPath: this.#path };
  }

  /**
   * Its constants are read from the file when they are needed.
   * @param mapped a session is to take large ones from the file as they lie there. That saves their copy in memory, but where they lie
   * across cache lines, convolutions lose some per cent
   */
  read(mapped: boolean): Model {
    const file = loadModel(this.#path);
    const model = modelFromProto(file.proto, mapped ? file.dir : undefined);
    file.close();
    return model;
  }

  /** A session that has opened the graph needs the file no longer. */
  remove(): void {
    this.#clear();
    this.#release();
  }

  #clear(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Bytes of all constants, those of bodies included. */
export function constantBytes(model: Model): number {
  let bytes = 0;
  for (const graph of model.graph.graphs())
    for (const value of graph.values.values()) bytes += value.initializer?.byteLength ?? 0;
  return bytes;
}
