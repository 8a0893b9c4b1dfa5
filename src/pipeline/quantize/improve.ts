/** Improvements of a quantized model without training, each kept only where samples that it has not seen are the better for it. */
import type { Interval } from '../../ops/op.ts';
import type { Model } from '../../graph/model.ts';
import type { TensorValue } from '../../onnx/data-types.ts';
import { feedsOfOne } from '../../data/batch.ts';
import { QdqError } from '../../errors/qdq-error.ts';
import type { Selection } from '../../data/sample.ts';
import { correctBiases } from '../../improve/bias.ts';
import { isBetter, measureQualities, meanOf } from '../../improve/quality.ts';
import type { Improvement } from '../../compare/report.ts';
import type { QuantizeOptions, RunFlags } from '../../settings/options.ts';
import type { Plan, QdqPlan } from '../../quantizable/plan.ts';
import type { ConfiguredFormat } from '../../quantized/format.ts';
import { emitQdq } from '../../quantized/qdq.ts';
import type { Samples } from '../samples/samples.ts';
import { inputsOf } from '../source/source.ts';

/** 48 to learn from, where more hardly pay, and 24 to judge by. */
const usualSamples = 72;
/** Every so many-th sample is kept for judging. */
const judges = 3;
/** Of all inputs, which stay in memory. */
const mostBytes = 2 ** 29;
/** Fewer say nothing of chance. */
const fewestSamples = 6;

export interface Improved {
  /** The float model to be written. */
  readonly model: Model;
  readonly steps: readonly Improvement[];
  /** Why what was asked for by name was not done. */
  readonly warnings: readonly string[];
}

/** What is to be improved, as it would be written. */
export interface Candidate {
  readonly form: ConfiguredFormat;
  readonly plan: Plan;
  readonly ranges: ReadonlyMap<string, Interval>;
  /** That calibrated it, if they are at hand. */
  readonly samples: Samples | undefined;
  /** Why the model cannot be run here at will, if so. */
  readonly unfit: string | undefined;
}

/** Never an error: what cannot be improved is written as it is. */
export async function improveModel(
  model: Model,
  candidate: Candidate,
  options: RunFlags & Pick<QuantizeOptions, 'improve'>,
): Promise<Improved> {
  const { improve = 'auto' } = options;
  const as = (...reasons: string[]): Improved => {
    return { model, steps: [], warnings: reasons.map((reason) => `biases are not corrected: ${reason}`) };
  };
  if (improve === 'none') return as();
  const plan = correctablePlan(candidate);
  if (typeof plan === 'string') return improve === 'bias' ? as(plan) : as();
  const { samples } = candidate;
  // Ranges can be had without samples, and whoever does so should know what it costs.
  if (!samples) return as('that takes the samples that calibrated (--data), not their ranges alone');
  try {
    const done = await correct(model, plan, candidate.ranges, samples, options);
    if (typeof done !== 'string') return { ...done, warnings: [] };
    return improve === 'bias' ? as(done) : as();
  } catch (cause) {
    if (cause instanceof QdqError && cause.code.startsWith('BACKEND_')) return as(cause.message);
    throw cause;
  }
}

/** The plan, if what it quantizes can be corrected; else the reason why not. */
function correctablePlan({ form, plan, samples, unfit }: Candidate): QdqPlan | string {
  if (!form.static) return `format '${form.format}' has no constant ranges`;
  if (plan.kind !== 'qdq') return 'nodes are in several formats';
  if (unfit !== undefined) return unfit;
  if (samples?.dataset.synthetic) return 'the samples are random numbers';
  if (samples?.dataset.carry) return 'the model has a state that goes from sample to sample';
  return plan;
}

/** Or the reason why not. */
async function correct(
  model: Model,
  plan: QdqPlan,
  ranges: ReadonlyMap<string, Interval>,
  samples: Samples,
  { threads, onProgress }: RunFlags,
): Promise<Omit<Improved, 'warnings'> | string> {
  const feeds = await feedsFor(model, samples);
  if (feeds.length < fewestSamples) return `${feeds.length} samples are too few, at least ${fewestSamples} it takes`;
  const learns = feeds.filter((_, i) => i % judges !== judges - 1);
  const unseen = feeds.filter((_, i) => i % judges === judges - 1);
  const corrected = await correctBiases(model, plan, ranges, learns, {
    threads,
    onLayer: (done, total) => onProgress?.({ stage: 'correcting biases', done, total, unit: 'layers' }),
  });
  if (!corrected) return 'no layer in int8 has one';
  const quantized = (float: Model): Model => emitQdq(float, plan, ranges).model;
  const candidates = { float: model, before: quantized(model), after: quantized(corrected.model) };
  const { before, after } = await measureQualities(candidates, unseen, threads);
  const kept = isBetter(before, after);
  const step: Improvement = {
    name: 'bias',
    kept,
    layers: corrected.layers,
    samples: unseen.length,
    outputs: [...before].flatMap(([name, each]) => {
      const other = after.get(name);
      return other ? [{ name, before: meanOf(each), after: meanOf(other) }] : [];
    }),
  };
  return { model: kept ? corrected.model : model, steps: [step] };
}

/** One run for each sample, spread over all that calibrated; fewer where they are large. */
async function feedsFor(
  model: Model,
  { dataset, selection }: Samples,
): Promise<Readonly<Record<string, TensorValue>>[]> {
  const inputs = inputsOf(model);
  const feeds: Readonly<Record<string, TensorValue>>[] = [];
  let bytes = 0;
  for await (const sample of dataset.samples(spread(selection, usualSamples))) {
    const feed = feedsOfOne(sample, inputs, dataset);
    for (const { data } of Object.values(feed)) bytes += data.byteLength;
    if (bytes > mostBytes && feeds.length >= fewestSamples) break;
    feeds.push(feed);
  }
  return feeds;
}

/** At most so many of them, at even distances; of a stream, whose length nobody knows, the first. */
function spread(selection: Selection, most: number): Selection {
  if ('from' in selection)
    return { from: selection.from, to: Math.min(selection.to ?? Infinity, selection.from + most) };
  if (selection.length <= most) return selection;
  return Array.from({ length: most }, (_, i) => selection[Math.floor((i * selection.length) / most)]!);
}
