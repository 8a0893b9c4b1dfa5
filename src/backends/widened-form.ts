/** A model that onnxruntime refuses because it has no kernels for its float types, in float32. */
import { copyModel, modelFromFile } from '../graph/copy.ts';
import type { Model } from '../graph/model.ts';
import { widen } from '../intrinsic/widen/widen.ts';
import type { DataTypeName } from '../onnx/data-types.ts';
import { loadModel } from '../onnx/model-file.ts';

/** A copy; undefined when the model has no such types, and was refused for another reason. */
export function widenedForm(
  source: string | Model,
): { readonly model: Model; readonly types: readonly DataTypeName[] } | undefined {
  const model = typeof source === 'string' ? modelFromFile(loadModel(source)) : copyModel(source);
  const widened = widen(model);
  return widened && { model, types: widened.types };
}
