/** A model that onnxruntime refuses because it has no kernels for its float types, in float32. */
import { modelFromProto } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import { modelToProto } from '../graph/to-proto.ts';
import { widen } from '../intrinsic/widen/widen.ts';
import type { DataTypeName } from '../onnx/data-types.ts';
import { densified } from '../onnx/densified.ts';
import { loadModel } from '../onnx/model-file.ts';

/** A copy; undefined when the model has no such types, and was refused for another reason. */
export function widenedForm(
  source: string | Model,
): { readonly model: Model; readonly types: readonly DataTypeName[] } | undefined {
  const model = typeof source === 'string' ? read(source) : modelFromProto(modelToProto(source), source.dir);
  const widened = widen(model);
  return widened && { model, types: widened.types };
}

function read(path: string): Model {
  const file = loadModel(path);
  return modelFromProto(densified(file.proto, file.dir), file.dir);
}
