/**
 * Fake-quantized model + samples → the same model, trained: quantization-aware fine-tuning with labels, or by distillation from
 * its own float weights or another float model. Gradients are a graph of standard operators that onnxruntime runs.
 */
import { blockConvolutions, blockSize } from '../backends/blocked-conv.ts';
import { makeStub } from '../backends/stub.ts';
import type { Session } from '../backends/session.ts';
import { evaluate, type Evaluation } from '../compare/evaluate.ts';
import { join } from '../data/batch.ts';
import { finetuneErrors } from '../errors/finetune.ts';
import { modelFromProto } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import { modelToProto } from '../graph/to-proto.ts';
import { loadModel, saveModel } from '../onnx/model-file.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { FinetuneOptions, FinetuneResult } from '../pipeline-types.ts';
import { readAugment } from '../qat/augment.ts';
import { findBiasGrids, onGrid } from '../qat/bias-grid.ts';
import { stepsPerEpoch, trainingBatches } from '../qat/batches.ts';
import { readCheckpoint, readOrNothing, checkpointPath, writeCheckpoint, type Evaluated } from '../qat/checkpoint.ts';
import { leastGradientOpset } from '../qat/differentiate.ts';
import { findFakeQuants } from '../qat/fake-quant.ts';
import { parseLoss } from '../qat/losses/index.ts';
import { hasClasses } from '../qat/losses/loss.ts';
import { initialState } from '../qat/optimize.ts';
import { optimizerOf } from '../qat/optimizers/index.ts';
import { gatherParameters, type Parameter } from '../qat/parameters.ts';
import { traceShapes } from '../qat/shapes.ts';
import { showInside, withoutFakeQuants } from '../qat/strip.ts';
import { train, type Metric, type Point, type Progress } from '../qat/trainer.ts';
import { buildForwardGraph, buildTrainingGraph, quantizedActivations } from '../qat/training-graph.ts';
import { createExecutor, openSession } from '../backends/session.ts';
import { firstShard, trainingData, type TrainingData } from './finetune-data.ts';
import { startEngines, type Engines } from './finetune-workers.ts';
import { trainingLog } from './finetune-log.ts';
import { inputsOf, openFused, upgradeNotes } from './source.ts';
import { restamp } from './stamp.ts';

const usualSteps = 400;

/**
 * @throws QAT_*: no fake quantizers, a teacher that does not match, an operator without a gradient, labels out of range, a loss
 * that is no number; the last checkpoint stays. The errors of model files and data.
 */
export async function finetuneModel(options: FinetuneOptions): Promise<FinetuneResult> {
  const optimizer = optimizerOf(options.optimizer);
  if (options.loss !== undefined) parseLoss(options.loss, options.temperature);
  if (options.resume && options.checkpoint === undefined) throw finetuneErrors.resumeNowhere();
  if (options.steps !== undefined && options.epochs !== undefined) throw finetuneErrors.stepsAndEpochs();
  const augment = options.augment === undefined ? undefined : await readAugment(options.augment);
  const { file, model, upgrade } = await openFused(options.model, options, { opset: leastGradientOpset });
  if (findFakeQuants(model).length === 0) throw finetuneErrors.notPrepared(options.model);
  const inputs = inputsOf(model);
  const data = await trainingData(options, inputs);
  const warnings = [...upgradeNotes(upgrade), ...data.warnings];
  for (const warning of warnings) options.onWarning?.(warning);

  const feeds = join(await firstShard(data), inputs).inputs;
  const outputs = await outputShapes(model, feeds);
  const lossText = options.loss ?? usualLoss(outputs, data, model, options.teacher);
  const terms = parseLoss(lossText, options.temperature);
  const teacher = options.teacher === undefined ? withoutFakeQuants(model) : openTeacher(options.teacher);
  if (options.teacher !== undefined) await checkTeacher(options.teacher, teacher, feeds, outputs);
  options.onProgress?.({ stage: 'building the gradient graph', done: 0, total: 1, unit: 'graphs' });
  const { model: training, ...graph } = await buildTrainingGraph(
    model,
    terms,
    feeds,
    data.shard,
    traceShapes,
    createExecutor(),
  );
  showInside(teacher, graph.teacher.keys(), options.teacher ?? options.model);
  blockConvolutions(training, await blockSize());
  options.onProgress?.({ stage: 'building the gradient graph', done: 1, total: 1, unit: 'graphs' });
  const engines = startEngines(
    {
      training: makeStub(training, 'the training graph'),
      graph,
      forward: makeStub(buildForwardGraph(model, graph.parameters), 'the fake-quantized model'),
      teacher: makeStub(teacher, 'the teacher'),
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
    const from = resumed(options, settings, optimizer.slots, gatherParameters(model, graph.parameters).length);
    const state = from?.state ?? initialState(gatherParameters(model, graph.parameters), optimizer);
    const progress: Progress = from?.progress ?? { best: undefined, sinceBest: 0, firstLoss: undefined };
    const curve: Point[] = [...(from?.curve ?? [])];
    const evaluations: Evaluated[] = [...(from?.evaluations ?? [])];
    const log = options.log === undefined ? undefined : trainingLog(options.log, state.step);
    const grids = findBiasGrids(model, graph.parameters);
    const judged = data.evaluation;
    const evaluateNow = judged
      ? (parameters: Float32Array): Promise<Metric> => measure(engines, model, parameters, judged, data.shard)
      : undefined;
    if (evaluateNow && state.step === 0) {
      const before = await evaluateNow(onGrid(state.parameters, grids, state.parameters.slice()));
      evaluations.push({ step: 0, ...before });
      log?.write({ step: 0, ...before });
    }
    const started = performance.now();
    const firstStep = state.step;
    const target = graph.target && { classes: graph.target.classes, smoothing: options.labelSmoothing };
    const request = { dataset: data.dataset, positions: data.positions, size, seed: options.seed, augment };
    const endedEarly = await train(
      state,
      progress,
      graph.parameters,
      grids,
      trainingBatches(request, state.step),
      inputs,
      target,
      engines,
      {
        ...options,
        optimizer,
        schedule: { name: options.schedule, steps, warmup: options.warmup },
        shard: data.shard,
        freezeScales: options.freezeScales ?? Infinity,
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
    writeParameters(
      model,
      graph.parameters,
      useBest ? best.parameters : onGrid(state.parameters, grids, state.parameters),
    );
    restamp(model);
    const saved = saveModel(modelToProto(model), options.output, {
      externalData: options.externalData,
      sourceDir: file.dir,
      inputs: [file.path],
    });
    const seconds = (performance.now() - started) / 1000;
    return {
      outputPath: saved.path,
      loss: lossText,
      steps: state.step,
      keptStep: kept,
      endedEarly,
      parameters: graph.parameters.reduce((sum, { length }) => sum + length, 0),
      evaluations,
      training: curve.map(({ step, loss, lr }) => ({ step, loss, lr, ...metricAt(evaluations, step) })),
      stepMilliseconds: (seconds * 1000) / Math.max(1, state.step - firstStep),
      warnings,
    };
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
  { dataset, shard }: TrainingData,
  model: Model,
  teacher: string | undefined,
): string {
  const classifier = outputs.size === 1 && [...outputs.values()].every((dims) => hasClasses(dims, shard));
  if (!classifier) return teacher === undefined && quantizedActivations(model).size > 0 ? 'mse,features=.02' : 'mse';
  return dataset.labelled ? 'ce' : 'kl';
}

/** Of one run; by name. */
async function outputShapes(
  model: Model,
  feeds: Parameters<Session['run']>[0],
): Promise<Map<string, readonly number[]>> {
  const session = await openSession(model, { simulate: true, level: 'basic' }, 'the fake-quantized model');
  try {
    const results = await session.run(feeds);
    return new Map(Object.entries(results).map(([name, { dims }]) => [name, dims]));
  } finally {
    await session.dispose();
  }
}

function openTeacher(path: string): Model {
  const file = loadModel(path);
  return modelFromProto(file.proto, file.dir);
}

async function checkTeacher(
  path: string,
  teacher: Model,
  feeds: Parameters<Session['run']>[0],
  wanted: ReadonlyMap<string, readonly number[]>,
): Promise<void> {
  const missing = teacher.feeds.map(({ name }) => name).find((name) => !(name in feeds));
  if (missing !== undefined) throw finetuneErrors.teacherInput(path, missing, Object.keys(feeds));
  const found = await outputShapes(teacher, feeds);
  for (const [name, dims] of wanted) {
    const own = found.get(name);
    if (!own) throw finetuneErrors.teacherOutput(path, name, [...found.keys()]);
    if (own.join() !== dims.join()) throw finetuneErrors.teacherShape(path, name, own, dims);
  }
}

/** The model as it stands against the float one, on the samples that judge. */
async function measure(
  engines: Engines,
  model: Model,
  parameters: Float32Array,
  samples: NonNullable<TrainingData['evaluation']>,
  batchSize: number,
): Promise<Metric> {
  const info = {
    inputs: inputsOf(model),
    outputs: model.graph.outputs.map((value) => ({
      name: value.name,
      type: value.type ?? 'float32',
      dims: value.dims ?? [],
    })),
    dispose: async () => {},
  };
  const float: Session = { ...info, run: (feeds, fetch) => engines.teach(feeds, fetch) };
  const quant: Session = { ...info, run: (feeds, fetch) => engines.forward(parameters, feeds, fetch) };
  return metricOf(
    await evaluate({
      float: { name: 'the teacher', session: float },
      quant: { name: 'the fake-quantized model', session: quant },
      ...samples,
      batchSize,
    }),
  );
}

/** What is right with labels, agreement with the teacher's classes without, and otherwise decibels over all outputs. */
function metricOf({ labelled, task, outputs }: Evaluation): Metric {
  const top1 = task.find(({ metric }) => metric === 'top1');
  if (labelled && top1) return { name: 'top1', value: top1.quant };
  const [only] = outputs;
  if (outputs.length === 1 && only!.argmaxAgreement !== null)
    return { name: 'agreement', value: only!.argmaxAgreement };
  return { name: 'sqnr', value: outputs.reduce((sum, { sqnrDb }) => sum + sqnrDb, 0) / outputs.length };
}

function writeParameters(model: Model, parameters: readonly Parameter[], flat: Float32Array): void {
  for (const { name, dims, offset, length } of parameters) {
    const data = flat.slice(offset, offset + length);
    model.graph.values.get(name)!.initializer = Tensor.of(name, 'float32', [...dims], data);
  }
}

/** All that a byte of the result may depend on, by the name of the option. */
function settingsOf({
  model: _model,
  output: _output,
  threads: _threads,
  command: _command,
  log: _log,
  resume: _resume,
  checkpoint: _checkpoint,
  checkpointEvery: _every,
  externalData: _external,
  onProgress: _progress,
  onWarning: _warning,
  epochs: _epochs,
  ...rest
}: FinetuneOptions): Record<string, unknown> {
  return rest;
}

function resumed(
  { checkpoint, resume, onWarning }: FinetuneOptions,
  settings: Record<string, unknown>,
  slots: readonly string[],
  length: number,
): ReturnType<typeof readCheckpoint> {
  if (checkpoint === undefined) return undefined;
  if (!resume) {
    const path = checkpointPath(checkpoint);
    if (readOrNothing(path)) throw finetuneErrors.checkpointThere(path);
    return undefined;
  }
  const found = readCheckpoint(checkpoint, settings, slots, length);
  onWarning?.(found ? `going on after step ${found.state.step}` : `no checkpoint in ${checkpoint}: starting anew`);
  return found;
}
