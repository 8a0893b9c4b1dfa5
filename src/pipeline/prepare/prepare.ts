/**
 * Float model + samples → fake-quantized model: fuse → plan → calibrate → quantizers around float values. The plan is that of
 * `quantize`, so that what is trained is what will run; weight scales are searched, activation ranges calibrated.
 */
import { createExecutor, openSession } from '../../backends/session.ts';
import type { Scheme, Target } from '../../backends/targets/target.ts';
import { fixedRanges, widened, type Ranges } from '../../calibrate/ranges.ts';
import { notesOf, rangesOf, type CalibrationState } from '../../calibrate/state.ts';
import { finetuneErrors } from '../../errors/finetune.ts';
import type { Model } from '../../graph/model.ts';
import { modelToProto } from '../../graph/to-proto.ts';
import { fuse } from '../../intrinsic/run.ts';
import { saveModel } from '../../onnx/model-file.ts';
import type { PrepareOptions } from '../../settings/options.ts';
import type { PrepareResult } from '../results.ts';
import { emitFakeQuant } from '../../qat/emit.ts';
import { findFakeQuants } from '../../qat/fake-quant.ts';
import { findNorms, recordNorms, writeNorms, type NormRecords } from '../../qat/norm-record.ts';
import { checkWidths, containerBits, type Widths } from '../../qat/widths.ts';
import { observedTensors, type Plan } from '../../quantizable/plan.ts';
import { planQuantization } from '../../quantizable/planner.ts';
import { planRanged } from '../../quantizable/ranged.ts';
import { describeScheme, leastOpset, resolveScheme } from '../../quantizable/scheme.ts';
import { keptWarnings, rangeWarnings } from '../warnings.ts';
import { observerSettings, observeTensors } from '../calibrate/ranges.ts';
import { checkPlaces } from '../places.ts';
import { calibrationSamples, runOnce, type Samples } from '../samples/samples.ts';
import { chosenTarget, describeCalibration, schemeRequest, summarizePlan } from '../scheme.ts';
import { inputsOf, openFused, survivors, sourceNotes, type FusedSource } from '../source/source.ts';
import { opsetsFor, type OpsetSettings } from '../source/upgrade.ts';
import { writeStamp } from '../stamp.ts';
import { readStateOrTable } from '../calibrate/state-files.ts';

/** What folds a BatchNormalization, or folds something else into one. */
const foldingPasses = ['conv-bn', 'pad-fold', 'affine-pairs', 'affine-fold', 'bn-conv', 'lone-bn'];
/** Quantizers per channel and Clip on 8-bit codes need it. */
const leastFakeQuantOpset = 13;

/** @throws QdqError: usage errors before anything runs, data errors for the model and the samples */
export async function prepareModel(options: PrepareOptions): Promise<PrepareResult> {
  checkPlaces(options);
  observerSettings(options);
  const target = chosenTarget(options.target);
  const { scheme, widths } = resolveWidths(target, options);
  const opset = Math.max(leastFakeQuantOpset, leastOpset(scheme, target));
  const opsets = opsetsFor(options.opset, opset, target.fusedOpset);
  const { source, records, warnings: foldWarnings } = await openWithNorms(options, opsets);
  const { file, model, log } = source;
  const { include, exclude } = options;
  const request = { target, scheme, include, exclude, fused: survivors(log) };
  const wanted = planQuantization(model, request);
  const fixed = fixedRanges(options.range ?? [], model, observedTensors(wanted));
  const { state, warnings: cautions, samples } = await observed(options, source, wanted);
  const ranges = (bits?: number): Ranges => new Map([...rangesOf(state, bits), ...fixed]);
  const plan = planRanged(model, request, wanted, ranges());
  const prepared = emitFakeQuant(model, plan, widths, (bits) => widened(ranges(bits), options.minRange));
  const description = `fake quantizers, ${describeScheme(scheme)}, W${widths.weights}A${widths.activations}`;
  writeStamp(prepared, plan, description, describeCalibration(state));
  if (records) writeNorms(prepared, records);
  const warnings = [
    ...sourceNotes(source),
    ...foldWarnings,
    ...cautions,
    ...notesOf(state),
    ...keptWarnings(model),
    ...rangeWarnings(wanted, plan),
  ];
  for (const warning of warnings) options.onWarning?.(warning);
  if (samples) await proveItRuns(prepared, options, samples);
  const saved = saveModel(modelToProto(prepared), options.output, {
    externalData: options.externalData,
    sourceDir: file.dir,
    inputs: [file.path],
  });
  return {
    outputPath: saved.path,
    plan: summarizePlan(plan, description),
    quantizers: findFakeQuants(prepared).length,
    weightBits: widths.weights,
    activationBits: widths.activations,
    firstLastBits: widths.firstLast,
    batchNorms: records?.norms.length ?? 0,
    warnings,
  };
}

/**
 * The fused model, and what of its BatchNormalization fine-tuning needs: read where it still stands by itself, but where
 * constants are found and MatMul + Add are Gemm, and held against what fusion has made of it.
 */
async function openWithNorms(
  options: PrepareOptions,
  opsets: OpsetSettings,
): Promise<{ source: FusedSource; records?: NormRecords; warnings: readonly string[] }> {
  const { bn = 'fold' } = options;
  if (bn === 'fold') return { source: await openFused(options.model, options, opsets), warnings: [] };
  const source = await openFused(options.model, options, { ...opsets, skip: foldingPasses });
  const found = findNorms(source.model);
  // The fold is held against the weights as they were: no others may change them.
  const rest = await fuse(source.model, { executor: createExecutor(), skip: ['constant-channels'] });
  const { norms, folded } = recordNorms(source.model, found);
  if (norms.length === 0) throw finetuneErrors.nothingLive(options.model, `--bn ${bn}`);
  const log = { applied: [...source.log.applied, ...rest.applied], refused: rest.refused };
  const warnings = folded.map(({ node, reason }) => `BatchNormalization '${node}' stays folded: ${reason}`);
  return { source: { ...source, log }, records: { mode: bn, norms }, warnings };
}

/** Containers by what the widths need; the ends of the network get 8 bits, or more where everything has more. */
function resolveWidths(target: Target, options: PrepareOptions): { scheme: Scheme; widths: Widths } {
  const asked = resolveScheme(target, schemeRequest(options));
  const wide = (bits: number | undefined): boolean => bits !== undefined && bits > 8;
  const sixteen = <T extends string>(type: T): T => type.replace(/\d+$/, '16') as T;
  const scheme: Scheme = {
    ...asked,
    activationType:
      options.activationType === undefined && wide(options.activationBits)
        ? sixteen(asked.activationType)
        : asked.activationType,
    weightType: wide(options.weightBits) ? sixteen(asked.weightType) : asked.weightType,
  };
  // A CPU that adds products in saturating 16 bits: 7 bits of weight never overflow there.
  const usualWeights = scheme.weightRange === 'full' ? containerBits(scheme.weightType) : 7;
  const weights = options.weightBits ?? usualWeights;
  const activations = options.activationBits ?? containerBits(scheme.activationType);
  const firstLast =
    options.firstLastBits ?? Math.max(scheme.weightRange === 'full' ? 8 : 7, Math.min(weights, activations));
  const widths = { weights, activations, firstLast };
  checkWidths(widths, scheme.activationType, scheme.weightType);
  return { scheme, widths };
}

async function observed(
  options: PrepareOptions,
  { file, model }: FusedSource,
  plan: Plan,
): Promise<{ state: CalibrationState; warnings: readonly string[]; samples?: Samples }> {
  const tensors = observedTensors(plan);
  if (options.state !== undefined)
    return { state: readStateOrTable(options.state, file.sha256(), model, tensors), warnings: [] };
  const { warnings, ...samples } = await calibrationSamples(options, inputsOf(model));
  const state = await observeTensors(options, { file, model }, tensors, samples);
  return { state, warnings, samples };
}

/** Loads the graph and runs one sample, before a byte of it is on disk. */
async function proveItRuns(model: Model, options: PrepareOptions, samples: Samples): Promise<void> {
  const label = `the fake-quantized form of '${options.model}'`;
  const session = await openSession(model, { threads: options.threads, simulate: true }, label);
  try {
    await runOnce(session, inputsOf(model), samples);
  } finally {
    await session.dispose();
  }
}
