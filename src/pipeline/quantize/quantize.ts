/** The whole pipeline: fuse → plan → calibrate → emit → load and run → compare. Nothing is written that has not been run. */
import type { Target } from '../../backends/targets/target.ts';
import { checkTemporary } from '../../backends/session-files.ts';
import { confirmConstants, healthOf, type Health } from '../../calibrate/health-findings.ts';
import { fixedRanges, widened } from '../../calibrate/ranges.ts';
import { notesOf, type CalibrationState } from '../../calibrate/state.ts';
import { compareModels } from '../../compare/compare.ts';
import { checkGates, parseGate } from '../../compare/gates.ts';
import type { Improvement, Report } from '../../compare/report.ts';
import { summarizeSkipped } from '../../data/skip-bad.ts';
import type { Interval } from '../../ops/op.ts';
import { pipelineErrors } from '../../errors/pipeline.ts';
import type { Model } from '../../graph/model.ts';
import type { QuantizeOptions } from '../../settings/options.ts';
import type { QuantizeResult } from '../results.ts';
import { observedTensors, type Plan } from '../../quantizable/plan.ts';
import { parseOverride } from '../../quantizable/overrides.ts';
import { openAllRecurrent } from '../../quantizable/recurrent.ts';
import { checkFormat, resolveScheme } from '../../quantizable/scheme.ts';
import { narrowBack } from '../../quantized/float16/convert.ts';
import type { ConfiguredFormat } from '../../quantized/format.ts';
import { configureWithOverrides } from '../../quantized/formats/index.ts';
import { writeProvenance } from '../../quantized/provenance.ts';
import { openBaseline, recordBaseline, writeReportFiles } from '../compare/report-files.ts';
import { customOperators, notRunFor, fitsInMemory, isLarge, largeness, sizeOf } from '../source/runnable.ts';
import { deliver } from '../deliver.ts';
import { blamingFloat, runFloat } from '../float-first.ts';
import { keepPlannedFloat } from './keep-float.ts';
import {
  keptWarnings,
  lintWarnings,
  notCompared,
  notRun,
  rangeWarnings,
  repairWarnings,
  shardWarnings,
  unobservedWarnings,
} from '../warnings.ts';
import { observerSettings, plannedRanges, observeTensors } from '../calibrate/ranges.ts';
import { checkPlaces } from '../places.ts';
import { improveModel } from './improve.ts';
import { evaluatorsOf, layerSamples, samplesProgress } from '../compare/report.ts';
import { judgingSamples } from '../samples/generated.ts';
import { anySample, settle, splitSamples, type SamplePlan } from '../samples/samples.ts';
import {
  chosenTarget,
  judgedExactly,
  describeCalibration,
  formatFlags,
  schemeRequest,
  summarizePlan,
} from '../scheme.ts';
import { readStateOrTable } from '../calibrate/state-files.ts';
import { writeStamp } from '../stamp.ts';
import { inputsOf, openFused, survivors, sourceNotes, type FusedSource } from '../source/source.ts';
import { opsetsFor } from '../source/upgrade.ts';

/**
 * @throws QdqError: usage errors before anything runs, data errors for the model and the samples. The output exists only when
 * the int8 model has been loaded and run.
 */
export async function quantizeModel(options: QuantizeOptions): Promise<QuantizeResult> {
  const gates = options.gates.map(parseGate);
  observerSettings(options);
  checkPlaces(options);
  if (options.report !== false) checkTemporary();
  const baseline = openBaseline(options);
  const evaluators = await evaluatorsOf(options);
  if (options.report === false && gates.length > 0) throw pipelineErrors.gatesWithoutReport(options.gates[0]!);
  const target = chosenTarget(options.target);
  checkFormat(target, options.format);
  const scheme = resolveScheme(target, schemeRequest(options));
  const overrides = (options.override ?? []).map(parseOverride);
  const form = configureWithOverrides(options.format, target, scheme, formatFlags(options), overrides);
  const source = await openFused(options.model, options, {
    ...opsetsFor(options.opset, Math.max(form.leastOpset, target.opset.least), target.fusedOpset),
    keepTied: form.keepsTied === true,
  });
  const { file, model, log } = source;
  const unopened = options.recurrent === 'scan' ? openAllRecurrent(model, options) : [];
  const custom = customOperators(model);
  if (custom !== undefined && gates.length > 0) throw pipelineErrors.gatesNotRun(options.gates[0]!, custom);
  const judged = options.report !== false && custom === undefined && fitsInMemory(file);
  if (!judged && gates.length > 0) throw pipelineErrors.gatesTooLarge(options.gates[0]!, sizeOf(file));
  const { include, exclude } = options;
  const { optimize } = options;
  const request = { target, scheme, include, exclude, optimize, fused: survivors(log) };
  const wanted = form.plan(model, request);
  const keepsHalf = form.keepsHalf === true && source.widened?.types.includes('float16') === true;
  const sources = custom === undefined ? [options.data, options.reader, options.state] : [options.state];
  const given = sources.some((source) => source !== undefined);
  const observed = form.rangesOptional && !given ? [] : observedTensors(wanted);
  if (custom !== undefined && observed.length > 0 && !given) throw pipelineErrors.needsRun(form.format, custom);
  const fixed = fixedRanges(options.range ?? [], model, observed);
  const runs = custom === undefined && (judged || !isLarge(file));
  const chosen =
    custom === undefined
      ? await chooseSamples(options, model, observed.length > 0, runs)
      : await anySample(options, inputsOf(model));
  const { dataset } = chosen.evaluation;
  checkGates(gates, {
    labels: dataset.labelled || dataset.count === undefined,
    latency: true,
    layers: options.layers !== false,
    baseline: baseline !== undefined,
  });

  const float = { path: options.model, model, threads: options.threads };
  const calibrated = calibrationState(options, source, observed, chosen);
  const state = await blamingFloat(calibrated, float, chosen.calibration);
  const samples = await settle(chosen);
  // What was calibrated has run.
  if (judged && !state) await runFloat(float, samples.evaluation);
  const ranges: ReadonlyMap<string, Interval> = state ? plannedRanges(state, wanted, fixed) : new Map();
  const plan = form.refine(model, request, wanted, ranges);
  const used = widened(ranges, options.minRange);
  const sampled = options.data !== undefined || options.reader !== undefined;
  const unfit = custom === undefined ? largeness(file) : `nothing here runs ${custom}`;
  const candidate = { form, plan, ranges: used, samples: sampled ? samples.calibration : undefined, unfit };
  const improved = await improveModel(model, candidate, options);
  const quantized = form.emit(improved.model, plan, used);
  if (keepsHalf) narrowBack(quantized.model, source.widened!.singles);
  const drawn =
    custom === undefined
      ? await keepPlannedFloat(quantized.model, plan, `the quantized form of '${options.model}'`)
      : [];
  writeStamp(quantized.model, plan, form.description, describeCalibration(state));
  writeProvenance(quantized.model, { source: file.sha256(), tensors: quantized.origins });
  const warnings = [
    ...sourceNotes(source, keepsHalf),
    ...samples.warnings,
    ...(state ? [...notesOf(state), ...shardWarnings(state)] : unobservedWarnings(wanted)),
    ...keptWarnings(model),
    ...unopened.map(({ node, reason }) => `'${node}' was not opened to a Scan: ${reason}`),
    ...rangeWarnings(wanted, plan),
    ...repairWarnings(quantized.repaired),
    ...lintWarnings(quantized.model, target),
    ...drawn,
    ...improved.warnings,
  ];
  const tell = (warning: string): void => {
    warnings.push(warning);
    options.onWarning?.(warning);
  };
  for (const warning of warnings) options.onWarning?.(warning);

  const unproven = custom !== undefined;
  const proven = deliver(quantized.model, file, { ...options, unproven }, samples.evaluation);
  const saved = unproven ? await proven : await blamingFloat(proven, float, samples.evaluation);
  const reason = custom === undefined ? notRun(saved.byteLength) : notRunFor(custom);
  if (!saved.ran) tell(reason);
  if (!judged && !unproven && options.report !== false) tell(notCompared(sizeOf(file)));
  const result = {
    outputPath: saved.path,
    plan: summarizePlan(plan, form.description),
    ...(improved.steps.length > 0 && { improvements: improved.steps }),
    warnings,
    ...(!saved.ran && { notRun: reason }),
  };
  if (!judged) return result;
  const health = state && (await healthFor(options, model, state, samples.calibration));
  const { steps } = improved;
  const made = { quantPath: saved.path, fused: model, target, form, plan, state, samples, health, steps };
  const report = await judge(options, made, { warnings, baseline, evaluators });
  recordBaseline(report, options);
  const files = writeReportFiles(report, options);
  return { ...result, report, ...(files.length === 0 ? {} : { reportPath: files[0]!, reportFiles: files }) };
}

/** With a state file, or where nothing is calibrated, only the report needs samples. */
function chooseSamples(
  options: QuantizeOptions,
  model: Model,
  calibrates: boolean,
  runs: boolean,
): Promise<SamplePlan> {
  const inputs = inputsOf(model);
  const given = options.data ?? options.reader ?? options.eval;
  if (!calibrates && !runs && given === undefined) return anySample(options, inputs);
  // A state needs no samples; with --data those that it was made of, by the same seed, correct biases and are not judged.
  const ready = options.state !== undefined && options.data === undefined && options.reader === undefined;
  return calibrates && !ready ? splitSamples(options, inputs) : judgingSamples(options, options.model, inputs);
}

async function calibrationState(
  options: QuantizeOptions,
  { file, model }: FusedSource,
  observed: readonly string[],
  { calibration }: SamplePlan,
): Promise<CalibrationState | undefined> {
  if (observed.length === 0) return undefined;
  if (options.state !== undefined) return readStateOrTable(options.state, file.sha256(), model, observed);
  return observeTensors(options, { file, model }, observed, calibration);
}

/** What the calibration told of itself, looked at once more where that takes a sample. */
function healthFor(
  { threads }: QuantizeOptions,
  model: Model,
  { tensors, arrays, samples }: CalibrationState,
  { dataset, selection }: SamplePlan['calibration'],
): Promise<Health | undefined> {
  return confirmConstants(healthOf(tensors, arrays, samples), model, dataset, selection, { threads });
}

/** What there is once the quantized model is written. */
interface Made {
  readonly quantPath: string;
  readonly fused: Model;
  readonly target: Target;
  readonly form: ConfiguredFormat;
  readonly plan: Plan;
  readonly state: CalibrationState | undefined;
  readonly samples: SamplePlan;
  readonly health: Health | undefined;
  readonly steps: readonly Improvement[];
}

function judge(
  options: QuantizeOptions,
  { quantPath, fused, target, form, plan, state, samples: { evaluation }, health, steps }: Made,
  told: Pick<Parameters<typeof compareModels>[0], 'warnings' | 'baseline' | 'evaluators'>,
): Promise<Report> {
  const skipped = summarizeSkipped(state?.skipped);
  return compareModels({
    floatPath: options.model,
    quantPath,
    dataset: evaluation.dataset,
    selection: evaluation.selection,
    batchSize: options.batch,
    threads: options.threads,
    gates: options.gates,
    ...told,
    profile: options.profile ?? false,
    command: options.command ?? 'quantizeModel',
    improvements: [...steps],
    // A table of another tool tells nothing of its samples.
    ...(state !== undefined &&
      state.samples > 0 && {
        calibration: {
          n: state.samples,
          idsHash: state.idsHash,
          source: state.source,
          ...(skipped && { skipped }),
          ...(health && { health }),
        },
      }),
    recipe: {
      format: form.format,
      ...form.settings,
      target: target.name,
      scheme: { ...plan.scheme },
      include: [...options.include],
      exclude: [...options.exclude],
      ...(options.override?.length && { override: [...options.override] }),
    },
    leftFloat: plan.float,
    exactInt8: judgedExactly(target),
    layers: options.layers === false ? undefined : { float: { fused }, samples: layerSamples(options.layers) },
    onProgress: samplesProgress(options, 'comparing'),
    onLayers: samplesProgress(options, 'comparing layers'),
  });
}
