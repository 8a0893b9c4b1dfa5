/** What the portable rooms may ask of a runtime: run a small graph once. `backends` implements it with onnxruntime-node. */
import type { TensorValue } from '../onnx/data-types.ts';
import type { Model } from './model.ts';

export interface Executor {
  /** Runs the model on named inputs and returns every graph output. */
  run(model: Model, feeds: Readonly<Record<string, TensorValue>>): Promise<Record<string, TensorValue>>;
}
