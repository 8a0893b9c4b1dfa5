/**
 * The library: what the commands call, for programs. Every function throws QdqError for what its caller can put right.
 *
 *   import { quantizeModel } from 'qdq';
 *
 *   const { report } = await quantizeModel({
 *     model: 'model.onnx',
 *     output: 'model.int8.onnx',
 *     data: 'images/',
 *     preprocess: 'imagenet',
 *     gates: ['agreement >= 0.99'],
 *   });
 *   if (report?.verdict === 'fail') process.exitCode = 1;
 */
import { optionsOf, type Given } from './settings/library.ts';
import * as pipeline from './pipeline/index.ts';
import { compareFiles } from './pipeline/compare/compare.ts';
import { sensitivityOf } from './pipeline/sensitivity/sensitivity.ts';
import * as variants from './pipeline/variants/variants.ts';
import type { VariantsResult } from './pipeline/variants/variants.ts';
import type {
  CalibrateOptions,
  CompareOptions,
  ConvertOptions,
  ExportOptions,
  FinetuneOptions,
  FuseOptions,
  MergeOptions,
  PrepareOptions,
  QuantizeFinetunedOptions,
  QuantizeOptions,
  SensitivityOptions,
  VariantsOptions,
} from './settings/options.ts';
import type {
  CalibrateResult,
  CompareResult,
  ConvertResult,
  ExportResult,
  FinetuneResult,
  FuseResult,
  MergeResult,
  PrepareResult,
  QuantizeFinetunedResult,
  QuantizeResult,
  SensitivityResult,
} from './pipeline/results.ts';

/**
 * Fuses a float model and proves on samples, or on generated inputs, that the result is equal; writes it to `output`.
 */
export async function fuseModel(options: Given<FuseOptions>): Promise<FuseResult> {
  return pipeline.fuseModel(optionsOf('fuseModel', options));
}

/** Observes the ranges of activations on samples; writes them, as a calibration state, to `output`. */
export async function calibrateModel(options: Given<CalibrateOptions>): Promise<CalibrateResult> {
  return pipeline.calibrateModel(optionsOf('calibrateModel', options));
}

/** Makes one calibration state of the states of its shards: the same bytes as without shards. */
export function mergeCalibrations(options: MergeOptions): MergeResult {
  return pipeline.mergeCalibrations(optionsOf('mergeCalibrations', options));
}

/** Writes the ranges of a calibration state as a table for another tool. */
export function exportCalibration(options: ExportOptions): ExportResult {
  return pipeline.exportCalibration(optionsOf('exportCalibration', options));
}

/** The whole pipeline; writes the int8 model to `output`, also when a gate failed (`report.verdict`). */
export async function quantizeModel(options: Given<QuantizeOptions>): Promise<QuantizeResult> {
  return pipeline.quantizeModel(optionsOf('quantizeModel', options));
}

/** Fake quantizers, training, int8 and the comparison in one: `prepareModel`, `finetuneModel`, `convertModel`, `compareModels`. */
export async function quantizeFinetuned(options: Given<QuantizeFinetunedOptions>): Promise<QuantizeFinetunedResult> {
  return pipeline.quantizeFinetuned(optionsOf('quantizeFinetuned', options));
}

/** Puts fake quantizers on a float model, calibrated on samples; writes it to `output`. */
export async function prepareModel(options: Given<PrepareOptions>): Promise<PrepareResult> {
  return pipeline.prepareModel(optionsOf('prepareModel', options));
}

/** Trains the weights, biases and scales of a model with fake quantizers; writes it to `output`. */
export async function finetuneModel(options: Given<FinetuneOptions>): Promise<FinetuneResult> {
  return pipeline.finetuneModel(optionsOf('finetuneModel', options));
}

/** Makes an int8 model of one with fake quantizers; writes it to `output`. */
export async function convertModel(options: Given<ConvertOptions>): Promise<ConvertResult> {
  return pipeline.convertModel(optionsOf('convertModel', options));
}

/** Runs a float model and its quantized form side by side and reports what differs. */
export async function compareModels(options: Given<CompareOptions>): Promise<CompareResult> {
  return compareFiles(optionsOf('compareModels', options));
}

/** Measures what each layer costs in int8 and, given `until`, which to leave float. */
export async function measureSensitivity(options: Given<SensitivityOptions>): Promise<SensitivityResult> {
  return sensitivityOf(optionsOf('measureSensitivity', options));
}

/** Makes the set of files that a runtime picks from, each compared with the float model. */
export async function makeVariants(options: Given<VariantsOptions>): Promise<VariantsResult> {
  return variants.makeVariants(optionsOf('makeVariants', options));
}

export { examine, type Diagnosis, type Finding } from './machine/doctor.ts';
export { describeBackends, type Backends, type BackendsOptions } from './machine/backends.ts';
export { explainModel, type Explanation } from './inspect/explain.ts';
export { explainPair, type PairExplanation } from './inspect/explain-pair.ts';
export { QdqError, type ErrorKind } from './errors/qdq-error.ts';
export { inspectModel, type InspectOptions, type Inspection } from './inspect/inspect.ts';
export { lintModel, type LintResult } from './inspect/lint.ts';
export { fromOnnxProto, loadModel, saveModel, type ModelFile, type SaveOptions } from './onnx/model-file.ts';
export type { Report, Verdict } from './compare/report.ts';

export type * from './pipeline/results.ts';
export type * from './settings/options.ts';
export type { FormatName } from './settings/stages.ts';
export type { VariantRow, VariantsResult } from './pipeline/variants/variants.ts';
export { version } from './process/version.ts';
