/** Models anew, from a file or from another model: their constants are shared, and large payloads are not read. */
import { densified } from '../onnx/densified.ts';
import type { ModelFile } from '../onnx/model-file.ts';
import { modelFromProto } from './from-proto.ts';
import type { Model } from './model.ts';
import { modelToProto } from './to-proto.ts';

/** With the constants that the file stores sparse as dense ones. */
export function modelFromFile({ proto, dir }: Pick<ModelFile, 'proto' | 'dir'>): Model {
  return modelFromProto(densified(proto, dir), dir);
}

/** What is done to the copy does not change the model. */
export function copyModel(model: Model): Model {
  return modelFromProto(modelToProto(model), model.dir);
}
