/**
 * Fake-quantized model + samples → the same model, trained: quantization-aware fine-tuning with labels, or by distillation from
 * its own float weights or another float model. Gradients are a graph of standard operators that onnxruntime runs.
 */
import { serializeModel } from '../../backends/serialized-model.ts';
import { join, parse } from 'node:path';
import { cached } from '../../data/cache.ts';
import { feedsOf } from '../../data/batch.ts';
import { rowsOf } from '../../data/runs.ts';
import { finetuneErrors } from '../../errors/finetune.ts';
import type { Model } from '../../graph/model.ts';
import { modelToProto } from '../../graph/to-proto.ts';
import { lock } from '../../onnx/lock.ts';
import { saveModel } from '../../onnx/model-file.ts';
import { Tensor } from '../../onnx/tensor.ts';
import type { FinetuneOptions } from '../../settings/options.ts';
import type { FinetuneResult } from '../results.ts';
import { readAugment } from '../../qat/augment.ts';
import { stepsPerEpoch, trainingBatches } from '../../qat/batches.ts';
import { checkpointPath, prepareCheckpoints, writeCheckpoint, type Evaluated } from '../../qat/checkpoint.ts';
import { leastGradientOpset } from '../../qat/differentiate.ts';
import { openPorts } from '../../intrinsic/widen/ports.ts';
import { findFakeQuants, showInside } from '../../qat/fake-quant.ts';
import { recordAt } from '../../qat/live-norm.ts';
import { parseLoss, hasClasses } from '../../qat/losses.ts';
import { writeNorms } from '../../qat/norm-record.ts';
import { initialState } from '../../qat/update.ts';
import { optimizerOf } from '../../qat/optimizers.ts';
import { gatherParameters, type Parameter } from '../../qat/parameters.ts';
import { train, type Metric, type Point, type Progress } from '../../qat/trainer.ts';
import { buildForwardGraph, quantizedActivations } from '../../qat/training-graph.ts';
import { viewOf } from '../../qat/view.ts';
import { trainingData, type TrainingData } from './data.ts';
import { buildPhases, normsFreezeAt, planNorms } from './graphs.ts';
import { measure, trainingLog } from './monitor.ts';
import { proveItRuns } from '../finetune-proof.ts';
import { judging, reportTrained, withScratch } from './report.ts';
import { checkPlaces } from '../places.ts';
import type { Samples } from '../samples/samples.ts';
import { resumed, settingsOf } from './settings.ts';
import { outputShapes, teacherOf } from './teacher.ts';
import { startEngines } from './engines.ts';
import { inputsOf, openFused, sourceNotes } from '../source/source.ts';
import { restamp } from '../stamp.ts';

const usualSteps = 400;

/**
 * @throws QAT_*: no fake quantizers, a teacher that does not match, an operator without a gradient, labels out of range, a loss
 * that is no number; the last checkpoint stays. The errors of model files and data.
 */
export async function finetuneModel(options: FinetuneOptions): Promise<FinetuneResult> {
  checkPlaces(options);
  const { result, evaluation, trained, teacher } = await runFinetune(options);
  if (options.report === false || (options.report === undefined && options.gates.length === 0)) return result;
  const judges = judging(evaluation, trained);
  const warnings = [...result.warnings, ...judges.warnings];
  for (const warning of judges.warnings) options.onWarning?.(warning);
  return withScratch(options.output, async (folder) => {
    const floatPath = options.teacher ?? join(folder, `${parse(options.model).name}.float.onnx`);
    if (options.teacher === undefined) saveModel(modelToProto(teacher), floatPath, { externalData: 'auto' });
    const { report, files } = await reportTrained(
      {
        floatPath,
        quantPath: result.outputPath,
        result: { ...result, warnings },
        evaluation: judges.samples,
        layers: options.layers,
        more: {},
      },
      options,
    );
    return { ...result, warnings, report, ...(files.length > 0 && { reportPath: files[0]!, reportFiles: files }) };
  });
}

/** What a training leaves for a report: the samples that judged, those that trained, and the float model. */
export interface Finetuned {
  readonly result: FinetuneResult;
  readonly evaluation: Samples | undefined;
  readonly trained: Samples;
  readonly teacher: Model;
}

export async function runFinetune(options: FinetuneOptions): Promise<Finetuned> {
  if (options.checkpoint === undefined) return runAlone(options);
  prepareCheckpoints(options.checkpoint);
  const free = lock(checkpointPath(options.checkpoint));
  try {
    return await runAlone(options);
  } finally {
    free();
  }
}

async function runAlone(options: FinetuneOptions): Promise<Finetuned> {
  const optimizer = optimizerOf(options.optimizer);
  if (options.loss !== undefined) parseLoss(options.loss, options.temperature);
  if (options.resume && options.checkpoint === undefined) throw finetuneErrors.resumeNowhere();
  if (options.steps !== undefined && options.epochs !== undefined) throw finetuneErrors.stepsAndEpochs();
  const augment = options.augment === undefined ? undefined : await readAugment(options.augment);
  const { file, model, upgrade, widened, batch } = await openFused(options.model, options, {
    opset: leastGradientOpset,
  });
  if (findFakeQuants(model).length === 0) throw finetuneErrors.notPrepared(options.model);
  const closePorts = openPorts(model);
  const inputs = inputsOf(model);
  const data = await trainingData(options, inputs);
  const normPlan = planNorms(model, options);
  const warnings = [...sourceNotes({ upgrade, widened, batch }), ...data.warnings, ...normPlan.warnings];
  for (const warning of warnings) options.onWarning?.(warning);

  const feeds = feedsOf(data.first, data.runs);
  const outputs = await outputShapes(model, feeds);
  const lossText = options.loss ?? usualLoss(outputs, data, model, options.teacher);
  const terms = parseLoss(lossText, options.temperature);
  const teacher = await teacherOf(options.teacher, model, feeds, outputs);
  options.onProgress?.({ stage: 'building the gradient graph', done: 0, total: 1, unit: 'graphs' });
  const { training, graphs } = await buildPhases(normPlan, terms, feeds, rowsOf(data.runs, data.shard));
  showInside(teacher, graphs[0]!.teacher.keys(), options.teacher ?? options.model);
  const [{ parameters, target: scores }] = graphs as [(typeof graphs)[number]];
  const modelParameters = parameters.filter(({ name }) => model.graph.values.has(name));
  options.onProgress?.({ stage: 'building the gradient graph', done: 1, total: 1, unit: 'graphs' });
  const engines = startEngines(
    {
      training,
      graphs,
      modelParameters,
      forward: serializeModel(buildForwardGraph(model, modelParameters), 'the fake-quantized model'),
      teacher: serializeModel(teacher, 'the teacher'),
      inputs: inputs.map(({ name }) => name),
      threads: options.workers === 1 ? options.threads : 1,
    },
    options.workers,
  );
  try {
    const size = data.batch * options.accumulate;
    const perEpoch = stepsPerEpoch({ positions: data.positions, size });
    if (options.epochs !== undefined && perEpoch === undefined) throw finetuneErrors.epochsOfStream();
    const steps = options.steps ?? (options.epochs === undefined ? usualSteps : options.epochs * perEpoch!);
    const settings = { ...settingsOf(options), model: file.sha256(), loss: lossText, batch: data.batch, steps };
    const start = gatherParameters(normPlan.model, parameters);
    const from = resumed(options, settings, optimizer.slots, start.length);
    const state = from?.state ?? initialState(start, optimizer);
    const progress: Progress = from?.progress ?? { best: undefined, sinceBest: 0, firstLoss: undefined };
    const curve: Point[] = [...(from?.curve ?? [])];
    const evaluations: Evaluated[] = [...(from?.evaluations ?? [])];
    const log = options.log === undefined ? undefined : trainingLog(options.log, state.step);
    const view = viewOf(normPlan.model, parameters, normPlan.norms);
    const judged = data.evaluation;
    const evaluateNow = judged
      ? (values: Float32Array): Promise<Metric> => measure(engines, model, values, judged, data.shard)
      : undefined;
    if (evaluateNow && state.step === 0) {
      const before = await evaluateNow(view.evaluated(state.parameters, state.parameters.slice()));
      evaluations.push({ step: 0, ...before });
      log?.write({ step: 0, ...before });
    }
    const started = performance.now();
    const firstStep = state.step;
    const target = scores && { classes: scores.classes, smoothing: options.labelSmoothing };
    const repeats = data.positions !== undefined && steps * size > data.positions.length;
    const dataset = cached(data.dataset, repeats ? options.cache * 2 ** 20 : 0);
    const request = { dataset, positions: data.positions, size, seed: options.seed, augment };
    const endedEarly = await train(
      state,
      progress,
      parameters,
      view,
      trainingBatches(request, state.step),
      data.runs,
      target,
      engines,
      {
        ...options,
        optimizer,
        schedule: { name: options.schedule, steps, warmup: options.warmup },
        freezeScales: options.freezeScales ?? Infinity,
        freezeNorms: normsFreezeAt(normPlan, options.freezeBn, steps),
        clipNorm: options.clipNorm,
        clipValue: options.clipValue,
        patience: options.patience,
        evaluateEvery: options.evalEvery,
      },
      {
        onStep(point) {
          curve.push(point);
          const rate = ((point.step - firstStep) * size * 1000) / (performance.now() - started);
          log?.write({ ...point, samplesPerSecond: Number(rate.toPrecision(4)) });
          options.onProgress?.({
            stage: 'fine-tuning',
            done: point.step,
            total: steps,
            unit: 'steps',
            detail: detail(point, rate, evaluations.at(-1)),
          });
        },
        ...(evaluateNow && { evaluate: evaluateNow }),
        onEvaluation(step, metric) {
          evaluations.push({ step, ...metric });
          log?.write({ step, ...metric });
        },
        ...(options.checkpoint !== undefined && {
          checkpoint: (now, sofar) =>
            writeCheckpoint(options.checkpoint!, settings, { state: now, progress: sofar, curve, evaluations }),
        }),
      },
    );
    const best = progress.best;
    const useBest = best !== undefined && (options.keep === 'best' || endedEarly);
    const kept = useBest ? best.step : state.step;
    const written = useBest ? best.parameters : view.evaluated(state.parameters, state.parameters.slice());
    writeParameters(model, modelParameters, written);
    if (normPlan.mode !== 'fold')
      writeNorms(model, { mode: normPlan.mode, norms: view.norms.map((norm) => recordAt(written, norm)) });
    restamp(model);
    closePorts();
    const seen = { dataset: data.dataset, selection: data.positions ?? { from: 0 } };
    await proveItRuns(model, options, seen);
    const saved = saveModel(modelToProto(model), options.output, {
      externalData: options.externalData,
      sourceDir: file.dir,
      inputs: [file.path],
    });
    const seconds = (performance.now() - started) / 1000;
    const result = {
      outputPath: saved.path,
      loss: lossText,
      steps: state.step,
      keptStep: kept,
      endedEarly,
      parameters: parameters.reduce((sum, { kind, length }) => sum + (kind === 'statistic' ? 0 : length), 0),
      batchNorms: view.norms.length,
      evaluations,
      training: curve.map(({ step, loss, lr }) => ({ step, loss, lr, ...metricAt(evaluations, step) })),
      stepMilliseconds: (seconds * 1000) / Math.max(1, state.step - firstStep),
      warnings,
    };
    return { result, evaluation: judged, trained: seen, teacher };
  } finally {
    await engines.close();
  }
}

function metricAt(evaluations: readonly Evaluated[], step: number): { metric?: number } {
  const found = evaluations.find((each) => each.step === step);
  return found ? { metric: found.value } : {};
}

function detail({ loss, lr }: Point, rate: number, last: Evaluated | undefined): string {
  const metric = last ? `  ${last.name} ${shownMetric(last)}` : '';
  return `loss ${loss.toPrecision(3)}  lr ${lr.toPrecision(2)}  ${Math.round(rate)} samples/s${metric}`;
}

function shownMetric({ name, value }: Evaluated): string {
  return name === 'sqnr' ? `${value.toFixed(1)} dB` : `${(100 * value).toFixed(2)} %`;
}

/**
 * With labels the task itself; without them the teacher: its classes, or everything it says and, where that is the model without its
 * fake quantizers, thinks.
 */
function usualLoss(
  outputs: ReadonlyMap<string, readonly number[]>,
  { dataset, runs, shard }: TrainingData,
  model: Model,
  teacher: string | undefined,
): string {
  const classifier = outputs.size === 1 && [...outputs.values()].every((dims) => hasClasses(dims, rowsOf(runs, shard)));
  if (!classifier) return teacher === undefined && quantizedActivations(model).size > 0 ? 'mse,features=.02' : 'mse';
  return dataset.labelled ? 'ce' : 'kl';
}

function writeParameters(model: Model, parameters: readonly Parameter[], flat: Float32Array): void {
  for (const { name, dims, offset, length } of parameters) {
    const data = flat.slice(offset, offset + length);
    model.graph.values.get(name)!.initializer = Tensor.of(name, 'float32', [...dims], data);
  }
}
