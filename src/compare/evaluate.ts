/** Both models over the same samples, in one pass and in memory that does not grow with their number. */
import { compareErrors } from '../errors/compare.ts';
import { dataErrors } from '../errors/data.ts';
import { batches } from '../data/batch.ts';
import { carrier, checkCarry, type Carrier } from '../data/carry.ts';
import type { Batch, Dataset, Selection } from '../data/sample.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import { feedsOf, filled, firstSample, samplesPerRun, type Feeds, type NamedSession } from './feeds.ts';
import type { Judge, Judgement } from './metrics/judge.ts';
import type { Numbers, PairedOutput } from './metrics/metric.ts';
import { isComparable, toNumbers } from './numbers.ts';
import type { ClassRow, Confusion, OutputRow, TaskRow } from './report.ts';
import { OutputTally, TaskTally } from './tally.ts';

export interface EvaluateOptions {
  readonly float: NamedSession;
  readonly quant: NamedSession;
  readonly dataset: Dataset;
  readonly selection: Selection;
  /** Samples per run where the batch dimension is free; see samplesPerRun. */
  readonly batchSize?: number | undefined;
  /** Tasks that are judged besides labels; see metrics/judge.ts. */
  readonly judges?: readonly Judge[] | undefined;
  /** `total` is undefined for a stream. */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
}

export interface Evaluation {
  /** Number of samples. */
  readonly n: number;
  /** Whether samples had labels. */
  readonly labelled: boolean;
  readonly task: TaskRow[];
  readonly outputs: OutputRow[];
  /** By class, where samples had labels, and classes the models disagree on; of the output that is judged. */
  readonly classes?: ClassRow[];
  readonly confusion?: Confusion;
  /** Outputs of the float model that no metric can judge. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * @throws COMPARE_* errors when the models do not pair, the float model is not finite or a label is no class; the errors of
 * the data and of onnxruntime pass through
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { float, quant, dataset, selection, judges = [], onProgress } = options;
  const { names, skipped } = pairOutputs(float, quant);
  const first = await firstSample(dataset, selection);
  const carry = dataset.carry ?? [];
  for (const { session } of [float, quant]) {
    checkCarry(
      carry,
      session.outputs.map(({ name }) => name),
    );
  }
  const ordered = carry.length > 0;
  const { size, fixed } = samplesPerRun(float, quant, first, ordered ? (options.batchSize ?? 1) : options.batchSize);
  if (ordered && size > 1) throw dataErrors.carryBatch(size);
  // Each model lives with the state of its own making, as it will when it is used.
  const states = { float: carrier(carry), quant: carrier(carry) };
  const wanted = [...new Set([...names, ...states.float.outputs])];
  const total = sizeOf(selection, dataset.count);
  const tallies = new Map<string, OutputTally>();
  let task: TaskTally | undefined;
  let n = 0;
  let labelled = false;
  for await (const batch of batches(dataset, selection, size)) {
    const rows = fixed ? size : batch.size;
    const inputs = (state: Carrier): Feeds => filled({ ...batch, inputs: state.feeds(batch) }, rows);
    const floatOutputs = await float.session.run(feedsOf(float, inputs(states.float)), wanted);
    const quantOutputs = await quant.session.run(feedsOf(quant, inputs(states.quant)), wanted);
    states.float.keep(floatOutputs);
    states.quant.keep(quantOutputs);
    const paired = new Map<string, PairedOutput>();
    for (const name of names) {
      const output = pair(name, floatOutputs[name]!, quantOutputs[name]!, batch, rows);
      if (n === 0) {
        tallies.set(name, new OutputTally(name, floatOutputs[name]!.type));
        if (task === undefined && isClassifier(output)) task = new TaskTally(name, output.dims[1]!);
      }
      tallies.get(name)!.add(output);
      if (name === task?.output) task.add(output);
      paired.set(name, output);
    }
    for (const judge of judges) judge.add(paired);
    n += batch.size;
    labelled ||= batch.labels !== undefined;
    onProgress?.(n, total);
  }
  const judged = judges.flatMap((judge) => judge.judgements()).map(taskRowOf);
  return {
    ...{ n, labelled, skipped },
    task: [...(task?.rows() ?? []), ...judged],
    outputs: [...tallies.values()].map((tally) => tally.row()),
    ...(task && { classes: task.classes(), confusion: task.confusion() }),
  };
}

function taskRowOf({ ci95, detail, ...judgement }: Judgement): TaskRow {
  return {
    ...judgement,
    reference: 'float',
    delta: judgement.quant - judgement.float,
    ...(ci95 && { ci95: [...ci95] as [number, number] }),
    ...(detail && { detail: { ...detail } }),
  };
}

function pairOutputs(
  float: NamedSession,
  quant: NamedSession,
): { names: string[]; skipped: { name: string; reason: string }[] } {
  const present = quant.session.outputs.map(({ name }) => name);
  const missing = float.session.outputs.map(({ name }) => name).filter((name) => !present.includes(name));
  if (missing.length > 0) throw compareErrors.outputs(quant.name, missing, present);
  const names: string[] = [];
  const skipped: { name: string; reason: string }[] = [];
  for (const { name, type } of float.session.outputs) {
    if (isComparable(type)) names.push(name);
    else skipped.push({ name, reason: `output '${name}' is of type ${type}` });
  }
  if (names.length === 0)
    throw compareErrors.noOutputs(
      float.name,
      skipped.map(({ reason }) => reason),
    );
  return { names, skipped };
}

/** One output of both models; the rows that filled the batch up are cut off again. */
function pair(name: string, float: TensorValue, quant: TensorValue, batch: Batch, rows: number): PairedOutput {
  if (float.dims.length !== quant.dims.length || float.dims.some((dim, axis) => dim !== quant.dims[axis])) {
    throw compareErrors.shapes(name, float.dims, quant.dims, batch.ids[0]!);
  }
  const [head, ...rest] = float.dims;
  const perSample = head !== undefined && head % rows === 0;
  const share = (count: number): number => (perSample ? (count / rows) * batch.size : count);
  const cut = (value: TensorValue): Numbers => {
    const numbers = toNumbers(value);
    return numbers.subarray(0, share(numbers.length));
  };
  return {
    ids: batch.ids,
    dims: perSample ? [share(head), ...rest] : float.dims,
    float: cut(float),
    quant: cut(quant),
    labels: batch.labels,
  };
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
