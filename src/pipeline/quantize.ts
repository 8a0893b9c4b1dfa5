/** The whole pipeline: fuse → plan → calibrate → emit → load and run → compare. Nothing is written that has not been run. */
import { cpuInfo } from '../backends/cpu.ts';
import { openSession } from '../backends/session.ts';
import { targetOf } from '../backends/targets/index.ts';
import type { Target } from '../backends/targets/target.ts';
import { calibrate } from '../calibrate/calibrate.ts';
import { confirmed } from '../calibrate/confirm.ts';
import { healthOf, type Health } from '../calibrate/health.ts';
import { widened } from '../calibrate/ranges.ts';
import { notesOf, rangesOf, type CalibrationState } from '../calibrate/state.ts';
import { compareModels } from '../compare/compare.ts';
import { checkGates, parseGate } from '../compare/gates.ts';
import type { Report } from '../compare/report.ts';
import { writeReport } from '../compare/report-file.ts';
import { summarizeSkipped } from '../data/tolerant.ts';
import { pipelineErrors } from '../errors/pipeline.ts';
import type { Model } from '../graph/model.ts';
import { modelToProto } from '../graph/to-proto.ts';
import { saveModel } from '../onnx/model-file.ts';
import type { QuantizeOptions, QuantizeResult } from '../pipeline-types.ts';
import { observedTensors, type Plan } from '../quantizable/plan.ts';
import { planQuantization } from '../quantizable/planner.ts';
import { planRanged } from '../quantizable/ranged.ts';
import { findTarget, leastOpset, resolveScheme } from '../quantizable/scheme.ts';
import { emitQdq } from '../quantized/qdq.ts';
import { keptWarnings, rangeWarnings, repairWarnings, shardWarnings } from './notes.ts';
import { observerSettings } from './observer.ts';
import { samplesProgress } from './progress.ts';
import { everySample, settle, splitSamples, type SamplePlan } from './samples.ts';
import { schemeRequest, summarizePlan } from './scheme.ts';
import { readStateOrTable } from './tables.ts';
import { writeStamp } from './stamp.ts';
import { inputsOf, openFused, survivors, upgradeNotes, type FusedSource } from './source.ts';

/**
 * @throws QdqError: usage errors before anything runs, data errors for the model and the samples. The output exists only when
 * the int8 model has been loaded and run.
 */
export async function quantizeModel(options: QuantizeOptions): Promise<QuantizeResult> {
  const gates = options.gates.map(parseGate);
  observerSettings(options);
  if (options.report === false && gates.length > 0) throw pipelineErrors.gatesWithoutReport(options.gates[0]!);
  const target = options.target === undefined ? targetOf(cpuInfo()) : findTarget(options.target);
  const scheme = resolveScheme(target, schemeRequest(options));
  const source = await openFused(options.model, options, { opset: leastOpset(scheme) });
  const { file, model, log, upgrade } = source;
  const { include, exclude } = options;
  const request = { target, scheme, include, exclude, fused: survivors(log) };
  const wanted = planQuantization(model, request);
  const chosen = await chooseSamples(options, model);
  const { dataset } = chosen.evaluation;
  checkGates(gates, { labels: dataset.labelled || dataset.count === undefined, latency: true });

  const state = await calibrationState(options, source, wanted, chosen);
  const samples = await settle(chosen);
  const ranges = rangesOf(state);
  const plan = planRanged(model, request, wanted, ranges);
  const quantized = emitQdq(model, plan, widened(ranges, options.minRange));
  writeStamp(quantized.model, plan, describeCalibration(state));
  const warnings = [
    ...upgradeNotes(upgrade),
    ...samples.warnings,
    ...notesOf(state),
    ...shardWarnings(state),
    ...keptWarnings(model),
    ...rangeWarnings(wanted, plan),
    ...repairWarnings(quantized),
  ];
  for (const warning of warnings) options.onWarning?.(warning);

  await proveItRuns(quantized.model, options, samples);
  const saved = saveModel(modelToProto(quantized.model), options.output, {
    externalData: options.externalData,
    sourceDir: file.dir,
    inputs: [file.path],
  });
  const result = { outputPath: saved.path, plan: summarizePlan(plan), warnings };
  if (options.report === false) return result;
  const health = await confirmed(
    healthOf(state.tensors, state.arrays, state.samples),
    model,
    samples.calibration.dataset,
    samples.calibration.selection,
    { threads: options.threads },
  );
  const report = await judge(options, saved.path, target, plan, state, samples, health, warnings);
  if (options.report === undefined) return { ...result, report };
  writeReport(options.report, report);
  return { ...result, report, reportPath: options.report };
}

/** With a state file only the report needs samples. */
function chooseSamples(options: QuantizeOptions, model: Model): Promise<SamplePlan> {
  const inputs = inputsOf(model);
  return options.state !== undefined && options.eval !== undefined
    ? everySample(options, options.eval, inputs).then((evaluation) => ({
        calibration: evaluation,
        evaluation,
        warnings: [],
      }))
    : splitSamples(options, inputs);
}

async function calibrationState(
  options: QuantizeOptions,
  { file, model }: FusedSource,
  plan: Plan,
  { calibration }: SamplePlan,
): Promise<CalibrationState> {
  if (options.state !== undefined) return readStateOrTable(options.state, file.sha256(), model, observedTensors(plan));
  return calibrate(model, observedTensors(plan), calibration.dataset, calibration.selection, {
    modelSha256: file.sha256(),
    observer: options.observer,
    observerOptions: observerSettings(options),
    threads: options.threads,
    ...(options.batch === undefined ? {} : { batchSize: options.batch }),
    onProgress: samplesProgress(options, 'calibrating'),
  });
}

/** Loads the int8 graph and runs one sample, before a byte of it is on disk. */
async function proveItRuns(model: Model, options: QuantizeOptions, { evaluation }: SamplePlan): Promise<void> {
  const session = await openSession(model, { threads: options.threads }, `the int8 form of '${options.model}'`);
  try {
    for await (const sample of evaluation.dataset.samples(evaluation.selection)) {
      await session.run(sample.inputs);
      break;
    }
  } finally {
    await session.dispose();
  }
}

function judge(
  options: QuantizeOptions,
  quantPath: string,
  target: Target,
  plan: Plan,
  state: CalibrationState,
  { evaluation }: SamplePlan,
  health: Health | undefined,
  warnings: readonly string[],
): Promise<Report> {
  const skipped = summarizeSkipped(state.skipped);
  return compareModels({
    floatPath: options.model,
    quantPath,
    dataset: evaluation.dataset,
    selection: evaluation.selection,
    batchSize: options.batch,
    threads: options.threads,
    gates: options.gates,
    command: options.command ?? 'quantizeModel',
    // A table of another tool tells nothing of its samples.
    ...(state.samples > 0 && {
      calibration: {
        n: state.samples,
        idsHash: state.idsHash,
        source: state.source,
        ...(skipped && { skipped }),
        ...(health && { health }),
      },
    }),
    recipe: {
      target: target.name,
      scheme: { ...plan.scheme },
      include: [...options.include],
      exclude: [...options.exclude],
    },
    leftFloat: plan.float,
    exactInt8: target.exactProducts && !targetOf(cpuInfo()).exactProducts,
    warnings,
    onProgress: samplesProgress(options, 'comparing'),
  });
}

/** "minmax over 100 samples" */
function describeCalibration({ observer, samples, format }: CalibrationState): string {
  return samples === 0 ? `a table of ${format}` : `${observer} over ${samples} samples`;
}
