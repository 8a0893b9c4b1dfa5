/** A model that onnxruntime refuses because it has no kernels for it, in an equal form that it has kernels for. */
import { copyModel, modelFromFile } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import { turnBatchFirst } from '../intrinsic/batch-first.ts';
import { widen } from '../intrinsic/widen/widen.ts';
import type { DataTypeName } from '../onnx/data-types.ts';
import { loadModel } from '../onnx/model-file.ts';

export interface OtherForm {
  readonly model: Model;
  /** Float types that became float32; absent: none. */
  readonly widened?: readonly DataTypeName[];
  /** Recurrent nodes that had the batch first; absent: none. */
  readonly turned?: readonly string[];
}

/** A copy; undefined when the model has none of all that, and was refused for another reason. */
export function otherForm(source: string | Model): OtherForm | undefined {
  const model = typeof source === 'string' ? modelFromFile(loadModel(source)) : copyModel(source);
  const widened = widen(model)?.types;
  const turned = turnBatchFirst(model);
  if (!widened && turned.length === 0) return undefined;
  return { model, ...(widened && { widened }), ...(turned.length > 0 && { turned }) };
}
