/** What a report says of a model file, and the form in which onnxruntime can open it. */
import type { InputInfo } from '../data/sample.ts';
import { compareErrors } from '../errors/compare.ts';
import { modelFromFile } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import { separateNodeNames } from '../graph/names.ts';
import { sourceFile } from '../onnx/file.ts';
import { loadModel } from '../onnx/model-file.ts';
import { uncomputable } from '../quantized/requantize.ts';
import { basename } from 'node:path';
import type { ModelFile } from './report.ts';

/** onnxruntime reads single files up to protobuf's limit; larger ones are opened in their loaded form. */
const fileLimit = 2 ** 31 - 1;

export interface OpenedModel {
  readonly model: Model;
  /** What openSession takes: the file as users run it, where onnxruntime takes that. */
  readonly source: string | Model;
  /** All of its row in the report but the inputs, which the session tells. */
  facts(inputs: readonly InputInfo[]): ModelFile;
}

/** A model that is to run. @throws COMPARE_SCALE_RATIO before onnxruntime, which would end the process, sees it */
export function openToRun(path: string): OpenedModel {
  const opened = openModel(path);
  for (const node of opened.model.allNodes()) {
    const found = uncomputable(node);
    if (found?.refused) throw compareErrors.scaleRatio(path, node.label, found.inputScales[0]!, found.outputScale);
  }
  return opened;
}

export function openModel(path: string): OpenedModel {
  const file = loadModel(path);
  const model = modelFromFile(file);
  return {
    model,
    source: separateNodeNames(model).length > 0 || file.byteLength > fileLimit ? model : path,
    facts(inputs) {
      const external = file.externalFiles().map((dataPath) => {
        const data = sourceFile(dataPath);
        return { file: basename(dataPath), bytes: data.byteLength, sha256: data.sha256() };
      });
      return {
        path,
        sha256: file.sha256(),
        bytes: external.reduce((sum, { bytes }) => sum + bytes, file.byteLength),
        opset: model.opset,
        ir: model.irVersion,
        inputs: inputs.map(({ name, type, dims }) => ({ name, type, dims: [...dims] })),
        ...(external.length > 0 ? { external } : {}),
      };
    },
  };
}
