/** Both models over the same samples, in one pass and in memory that does not grow with their number. */
import { compareErrors } from '../errors/compare.ts';
import { dataErrors } from '../errors/data.ts';
import { batches, feedsOf as feedsOfSamples } from '../data/batch.ts';
import { carrier, checkCarry } from '../data/fixed-inputs.ts';
import { realRows, repeatedAxis, oneAtATime, rowsOf, type Runs } from '../data/runs.ts';
import type { Batch, Dataset, Sample, Selection } from '../data/sample.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import { feedsOf, firstSample, runsOfBoth, type NamedSession } from './models.ts';
import {
  type TaskEvaluator,
  type TaskScore,
  type Numbers,
  type PairedOutput,
  isComparable,
  toNumbers,
} from './metrics/metric.ts';
import type { ClassRow, Confusion, OutputRow, TaskRow, TextRow } from './report.ts';
import { OutputTally, TaskTally, TextTally } from './output-tally.ts';

export interface EvaluateOptions {
  readonly float: NamedSession;
  readonly quant: NamedSession;
  readonly dataset: Dataset;
  readonly selection: Selection;
  /** Samples per run where the batch dimension is free; see runsOfBoth. */
  readonly batchSize?: number | undefined;
  /** Tasks that are evaluated besides labels; see metrics/metric.ts. */
  readonly evaluators?: readonly TaskEvaluator[] | undefined;
  /** `total` is undefined for a stream. */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
}

/** What one pass over the samples found. */
export interface Evaluation {
  /** Number of samples. */
  readonly n: number;
  /** Whether samples had labels. */
  readonly labelled: boolean;
  readonly task: TaskRow[];
  readonly outputs: OutputRow[];
  /** Outputs of type string. */
  readonly texts: TextRow[];
  /** By class, where samples had labels, and classes the models disagree on; of the output that is judged. */
  readonly classes?: ClassRow[];
  readonly confusion?: Confusion;
  /** Outputs of the float model that no metric can judge. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Runs both models over the samples and measures outputs, texts and tasks.
 * @throws COMPARE_* errors when the models do not pair, the float model is not finite or a label is no class; the errors of
 * the data and of onnxruntime pass through
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { float, quant, dataset, selection, evaluators = [], onProgress } = options;
  const { names, texts, skipped } = pairOutputs(float, quant);
  const both = [...names, ...texts];
  const first = await firstSample(dataset, selection);
  const carry = dataset.carry ?? [];
  for (const { session } of [float, quant]) {
    checkCarry(
      carry,
      session.outputs.map(({ name }) => name),
    );
  }
  const ordered = carry.length > 0;
  const planned = runsOfBoth(float, quant, first, dataset, ordered ? (options.batchSize ?? 1) : options.batchSize);
  if (ordered && planned.samples > 1) throw dataErrors.carryBatch(planned.samples);
  const apart = planned.fixed || (planned.samples > 1 && (dataset.batchAxes?.size ?? 0) > 0);
  const axes = apart ? await sampleAxes(float, first, planned, both) : undefined;
  // What cannot be told apart by sample is compared sample by sample.
  const runs = axes && both.some((name) => axes.get(name) === undefined) ? oneAtATime(planned) : planned;
  // Each model lives with the state of its own making, as it will when it is used.
  const states = { float: carrier(carry), quant: carrier(carry) };
  const wanted = [...new Set([...both, ...states.float.outputs])];
  const total = sizeOf(selection, dataset.count);
  const tallies = new Map<string, OutputTally>();
  const textTallies = new Map(texts.map((name) => [name, new TextTally(name)]));
  let task: TaskTally | undefined;
  let n = 0;
  let labelled = false;
  for await (const batch of batches(dataset, selection, runs)) {
    const floatOutputs = await float.session.run(feedsOf(float, states.float.feeds(batch)), wanted);
    const quantOutputs = await quant.session.run(feedsOf(quant, states.quant.feeds(batch)), wanted);
    states.float.keep(floatOutputs);
    states.quant.keep(quantOutputs);
    const paired = new Map<string, PairedOutput>();
    for (const name of names) {
      const output = pair(name, floatOutputs[name]!, quantOutputs[name]!, batch, runs, axes);
      if (n === 0) {
        tallies.set(name, new OutputTally(name, floatOutputs[name]!.type));
        if (task === undefined && isClassifier(output)) task = new TaskTally(name, output.dims[1]!);
      }
      tallies.get(name)!.add(output);
      if (name === task?.output) task.add(output);
      paired.set(name, output);
    }
    for (const [name, tally] of textTallies)
      tally.add(pair(name, floatOutputs[name]!, quantOutputs[name]!, batch, runs, axes));
    for (const evaluator of evaluators) evaluator.add(paired);
    n += batch.size;
    labelled ||= batch.labels !== undefined;
    onProgress?.(n, total);
  }
  const scored = evaluators.flatMap((evaluator) => evaluator.scores()).map(taskRowOf);
  return {
    ...{ n, labelled, skipped },
    task: [...(task?.rows() ?? []), ...scored],
    outputs: [...tallies.values()].map((tally) => tally.row()),
    texts: [...textTallies.values()].map((tally) => tally.row()),
    ...(task && { classes: task.classes(), confusion: task.confusion() }),
  };
}

function taskRowOf({ ci95, detail, ...score }: TaskScore): TaskRow {
  return {
    ...score,
    reference: 'float',
    delta: score.quant - score.float,
    ...(ci95 && { ci95: [...ci95] as [number, number] }),
    ...(detail && { detail: { ...detail } }),
  };
}

function pairOutputs(
  float: NamedSession,
  quant: NamedSession,
): { names: string[]; texts: string[]; skipped: { name: string; reason: string }[] } {
  const present = quant.session.outputs.map(({ name }) => name);
  const missing = float.session.outputs.map(({ name }) => name).filter((name) => !present.includes(name));
  if (missing.length > 0) throw compareErrors.outputs(quant.name, missing, present);
  const names: string[] = [];
  const texts: string[] = [];
  const skipped: { name: string; reason: string }[] = [];
  for (const { name, type } of float.session.outputs) {
    if (isComparable(type)) names.push(name);
    else if (type === 'string') texts.push(name);
    else skipped.push({ name, reason: `output '${name}' is of type ${type}` });
  }
  for (const name of float.session.unread ?? [])
    skipped.push({ name, reason: `output '${name}' is a map, or holds what no tensor can` });
  if (names.length + texts.length === 0)
    throw compareErrors.noOutputs(
      float.name,
      skipped.map(({ reason }) => reason),
    );
  return { names, texts, skipped };
}

/** Finds, by output, the axis along which samples lie: found by one run of the float model on a batch of one sample. */
async function sampleAxes(
  float: NamedSession,
  sample: Sample,
  runs: Runs,
  names: readonly string[],
): Promise<ReadonlyMap<string, number | undefined>> {
  const rows = runs.fixed ? rowsOf(runs, 1) : 2;
  const twice = { ...runs, samples: 1, copies: rows, fixed: true };
  const outputs = await float.session.run(feedsOf(float, feedsOfSamples([sample], twice)), names);
  return new Map(names.map((name) => [name, axisIn(outputs[name]!, rows)]));
}

function axisIn(value: TensorValue, rows: number): number | undefined {
  // Numbers of texts are equal or not; as floats, neighbours would pass for equal.
  return repeatedAxis({ dims: value.dims, data: value.type === 'string' ? value.data : toNumbers(value) }, rows);
}

/**
 * Pairs one output of both models, samples along the first axis; what filled the batch up is cut off again.
 * @param axes along which samples lie; undefined where it is the first and none fills up
 */
function pair(
  name: string,
  float: TensorValue,
  quant: TensorValue,
  batch: Batch,
  runs: Runs,
  axes: ReadonlyMap<string, number | undefined> | undefined,
): PairedOutput {
  if (float.dims.length !== quant.dims.length || float.dims.some((dim, axis) => dim !== quant.dims[axis])) {
    throw compareErrors.shapes(name, float.dims, quant.dims, batch.ids[0]!);
  }
  const axis = axes?.get(name);
  const cut = ({ dims, ...value }: TensorValue): { dims: readonly number[]; data: Numbers } => {
    const data = toNumbers({ dims, ...value });
    return axis === undefined ? { dims, data } : realRows({ dims, data }, axis, rowsOf(runs, batch.size), batch.size);
  };
  const [x, y] = [cut(float), cut(quant)];
  return { ids: batch.ids, dims: x.dims, float: x.data, quant: y.data, labels: batch.labels };
}

/** Scores of shape [samples, classes] with at least two classes. */
function isClassifier({ dims, ids }: PairedOutput): boolean {
  return dims.length === 2 && dims[0] === ids.length && dims[1]! >= 2;
}

function sizeOf(selection: Selection, count: number | undefined): number | undefined {
  if (!('from' in selection)) return selection.length;
  const end = Math.min(selection.to ?? Infinity, count ?? Infinity);
  return end === Infinity ? undefined : Math.max(0, end - selection.from);
}
