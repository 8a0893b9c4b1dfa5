/** The bundled digit classifier, its int8 form, and that form with one scale spoilt. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll } from 'vitest';
import { modelFromProto } from '../../../src/graph/from-proto.ts';
import { modelToProto } from '../../../src/graph/to-proto.ts';
import type { Model } from '../../../src/graph/model.ts';
import { loadModel, saveModel } from '../../../src/onnx/model-file.ts';
import { Tensor } from '../../../src/onnx/tensor.ts';
import { compareModels } from '../../../src/compare/compare.ts';
import { openModel } from '../../../src/compare/models.ts';
import type { Report } from '../../../src/compare/report.ts';
import { openData } from '../../../src/data/open.ts';
import { quantizeModel } from '../../../src/index.ts';
import { layersOf } from '../../../src/pipeline/compare/report.ts';

const fixture = (path: string): string => resolve(import.meta.dirname, '../../../fixtures/digits', path);

export const digits = fixture('model.onnx');
export const digitData = {
  data: fixture('test'),
  preprocess: 'channels=gray scale=1/255 mean=.5 std=.5',
  samples: 24,
  threads: 1,
};
export const digitSamples = openData(
  { path: digitData.data, preprocess: digitData.preprocess, seed: 0, skipBad: false },
  [{ name: 'image', type: 'float32', dims: ['batch', 1, 16, 16] }],
);

/** What `qdq compare --layers` finds, without the seconds that timing takes. */
export async function inside(float: string, quant: string, layers?: boolean, samples = 24): Promise<Report> {
  return compareModels({
    floatPath: float,
    quantPath: quant,
    dataset: await digitSamples,
    selection: { from: 0, to: samples },
    threads: 1,
    gates: [],
    command: 'test',
    skipLatency: true,
    layers: await layersOf(float, openModel(quant).model, quant, layers, { threads: 1 }),
  });
}

export function temporary(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-layers-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}

/** @param target every CPU computes its products exactly */
export async function quantizeDigits(output: string): Promise<string> {
  // Ranges that clip nothing: what is found to clip was broken by the test.
  const observer = 'minmax';
  await quantizeModel({ ...digitData, model: digits, output, observer, report: false, target: 'ort-cpu-x64-avx2' });
  return output;
}

/** A changed copy of a model file. */
export function changed(path: string, output: string, change: (model: Model) => void): string {
  const file = loadModel(path);
  const model = modelFromProto(file.proto, file.dir);
  change(model);
  saveModel(modelToProto(model), output);
  file.close();
  return output;
}

/** Divides the scale of the quantizer that makes, or dequantizes, these codes. */
export function shrinkScale(model: Model, codes: string, factor: number): void {
  const value = model.graph.values.get(codes)!;
  const node = value.producer ?? [...value.users.keys()][0]!;
  const scale = node.input(1)!;
  const shrunk = scale.constant!.floats().map((each) => each / factor);
  scale.initializer = Tensor.of(scale.name, 'float32', [...scale.constant!.dims], shrunk);
}
