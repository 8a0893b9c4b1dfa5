/**
 * Calibrates: runs a float model on samples and gathers statistics of its activations into a calibration state. Statistics are computed
 * inside the graph (augmented-graph.ts), so that one small vector leaves onnxruntime per batch, and for histograms a sample of each tensor
 * or all of it, counted by a WebAssembly kernel where onnxruntime wrote it: memory does not grow with the number of samples.
 */
import { createHash } from 'node:crypto';
import type { SessionOptions } from '../backends/session-options.ts';
import { batches, feedsOf } from '../data/batch.ts';
import { carrier, checkCarry } from '../data/fixed-inputs.ts';
import { oneAtATime, rowsOf } from '../data/runs.ts';
import type { Batch, Dataset, Sample, Selection } from '../data/sample.ts';
import { recordSkipped } from '../data/skip-bad.ts';
import { calibrateErrors } from '../errors/calibrate.ts';
import { dataErrors } from '../errors/data.ts';
import type { Model } from '../graph/model.ts';
import { softmaxOnly } from '../quantizable/attention.ts';
import { planBatches, realElements, rowsFound, type RowsOfSamples } from './batching.ts';
import { diagnose } from './diagnose.ts';
import { foldOf } from './health.ts';
import { observerOf, observerOptions } from './observers/index.ts';
import type { ObserverOptions, ObserverState } from './observers/observer.ts';
import { planProbes } from './probes.ts';
import { activationFinder } from './graph-outputs.ts';
import type { CalibrationState } from './state.ts';
import { hasOpenShapes } from './shapes.ts';
import { StatisticsRun } from './statistics-run.ts';
import type { SuspectStatistic } from './statistics-reader.ts';

/** Options of a calibration. */
export interface CalibrateOptions {
  /** Hash of the model's file: the state is refused for any other. */
  readonly modelSha256: string;
  /** Default minmax. */
  readonly observer?: string;
  readonly observerOptions?: ObserverOptions;
  /**
   * Samples per run; default 1. A model with a fixed batch gets that many, the last batch filled up by repeating; for an observer
   * that wants every sample alone it is filled up with one.
   */
  readonly batchSize?: number;
  /** Default 1. */
  readonly threads?: number;
  /** Total is undefined for a stream of unknown length. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  /** Called between batches, at least one more being to come; `state` tells what the samples so far came to. */
  readonly onState?: (samples: number, state: () => ObserverState) => void;
}

/**
 * Observes tensors of a model on samples.
 * @param model float, usually fused
 * @param tensors names of activations, graph inputs and those inside bodies allowed
 * @throws CALIBRATE_*: a tensor that cannot be observed, no samples, NaN or infinity (with tensor, node and samples)
 */
export async function calibrate(
  model: Model,
  tensors: readonly string[],
  dataset: Dataset,
  selection: Selection,
  options: CalibrateOptions,
): Promise<CalibrationState> {
  const observer = observerOf(options.observer ?? 'minmax');
  const settings = observerOptions(observer, options.observerOptions ?? {});
  const names = [...new Set(tensors)];
  if (names.length === 0) throw calibrateErrors.noTensors();
  const fallbacks = new Set<string>();
  const sessionOptions: SessionOptions = {
    threads: options.threads ?? 1,
    simulate: true,
    onFallback: (warning) => fallbacks.add(warning),
  };

  const sample = await firstSample(dataset, selection);
  const { carry } = dataset;
  checkCarry(
    carry ?? [],
    model.graph.outputs.map(({ name }) => name),
  );
  const asked = options.batchSize ?? 1;
  // What is masked follows from the rows of a sample.
  const oneByOne = observer.oneByOne || hasMasks(model, names);
  const { runs: planned, note } = planBatches(model, sample, asked, dataset, { ...observer, oneByOne });
  if (carry && (planned.samples > 1 || asked > 1)) throw dataErrors.carryBatch(Math.max(planned.samples, asked));
  const state = carrier(carry);
  const lone = feedsOf([sample], oneAtATime(planned));
  const elements = observer.elements ? (settings['exact'] === 1 ? 'all' : 'sampled') : 'none';
  const probes = await planProbes(model, names, observer, lone, sessionOptions, elements);

  const accumulator = observer.start(names.length, settings);
  const ids = createHash('sha256');
  const total = selected(dataset, selection);
  let samples = 0;
  const { memory } = accumulator;
  const byChannel = planned.samples === 1;
  const statistics = await StatisticsRun.open({
    ...{ model, probes, names, kept: state.outputs, byChannel, memory, options: sessionOptions },
    ...{ samples: rowsOf(planned, 1), open: hasOpenShapes(model, lone) },
  });
  let runs = planned;
  let rows: RowsOfSamples = [];
  try {
    if (planned.fixed && elements !== 'none') {
      rows = rowsFound(model, names, (await statistics.run(lone)).elements, planned);
      // Elements of a sample that only fills up must not count; where they cannot be told from the others, each sample runs alone.
      if (rows.includes(false)) runs = oneAtATime(planned);
    }
    const single = runs.samples === 1;
    for await (const drawn of batches(dataset, selection, runs)) {
      const feeds = state.feeds(drawn);
      if (samples > 0) options.onState?.(samples, () => accumulator.state());
      const { values, suspect, elements, results } = await statistics.run(feeds, drawn.ids);
      state.keep(results);
      if (suspect) {
        const singly = drawn.samples.map((each) => ({
          id: each.id,
          inputs: single ? feeds : feedsOf([each], oneAtATime(runs)),
        }));
        const found =
          (await diagnose(model, new Set(names), singly, sessionOptions)) ?? unconfirmed(model, suspect, drawn);
        if (found) throw calibrateErrors.notFinite(found);
      }
      const fold = single ? { fold: foldOf(drawn.ids[0]!) } : {};
      accumulator.add({
        ...values,
        ...fold,
        elements: elements.map((each, i) => each && realElements(each, drawn.size, runs, rows[i])),
        strides: elements.map((each) => each?.stride ?? 1),
      });
      for (const id of drawn.ids) ids.update(`${id}\n`);
      samples += drawn.size;
      options.onProgress?.(samples, total);
      await statistics.refine(feeds, ((total ?? Infinity) - samples) / runs.samples);
    }
  } finally {
    await statistics.dispose();
  }
  const inBodies = observer.elements ? names.filter((name) => !statistics.hasElements(name)) : [];
  const skipped = recordSkipped(dataset.skipped?.(selection) ?? []);
  // Said of the model, not of this run, so that merged shards say the same as one run.
  const many = planned.samples * planned.copies;
  const filledUp =
    planned.samples > 1
      ? `the model takes exactly ${many} samples at a time: a short batch is filled up with its last sample`
      : `the model takes exactly ${many} samples at a time: each is run ${many} times at once`;
  return {
    modelSha256: options.modelSha256,
    tensors: names,
    observer: observer.id,
    observerOptions: settings,
    source: dataset.source,
    format: dataset.format,
    synthetic: dataset.synthetic,
    preprocess: dataset.preprocess,
    samples,
    idsHash: ids.digest('hex'),
    notes: [
      planned.fixed ? filledUp : undefined,
      ...inBodies.map(
        (name) => `tensor '${name}' stands in the body of a node: its range is its smallest and largest value`,
      ),
    ].filter((note) => note !== undefined),
    remarks: [
      note,
      ...fallbacks,
      oneByOne && asked > 1 && planned.samples === 1
        ? `${observer.oneByOne ? `observer '${observer.id}'` : 'a masked Softmax'} takes 1 sample at a time`
        : undefined,
    ].filter((remark) => remark !== undefined),
    ...(skipped && { skipped }),
    arrays: accumulator.state(),
  };
}

/** Whether the range of one of the tensors leaves out what is masked (counted-elements.ts). */
function hasMasks({ graph, opset }: Model, names: readonly string[]): boolean {
  const masks = softmaxOnly(graph, opset);
  return names.some((name) => masks.has(graph.values.get(name)!));
}

async function firstSample(dataset: Dataset, selection: Selection): Promise<Sample> {
  for await (const sample of dataset.samples(selection)) return sample;
  throw calibrateErrors.noSamples(dataset.source);
}

function selected({ count }: Dataset, selection: Selection): number | undefined {
  if (!('from' in selection)) return selection.length;
  return count === undefined ? undefined : Math.min(selection.to ?? count, count) - selection.from;
}

/** A minimum or maximum that is not finite, though the unoptimized model is: the optimized one is at fault, and it counts. */
function unconfirmed(
  model: Model,
  { tensor, value, certain }: SuspectStatistic,
  { ids }: Batch,
): Parameters<typeof calibrateErrors.notFinite>[0] | undefined {
  if (!certain) return undefined;
  const node = activationFinder(model)(tensor).producer?.label;
  return { tensor, node, found: Number.isNaN(value) ? 'NaN' : 'infinity', constant: undefined, samples: ids };
}
