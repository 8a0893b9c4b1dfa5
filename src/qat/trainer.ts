/**
 * The training loop: batches → shards → gradients from the workers, summed in their order → one update. What goes in decides
 * every byte of what comes out: nothing depends on time, and for a given number of workers nothing on chance.
 */
import { finetuneErrors } from '../errors/finetune.ts';
import type { Runs } from '../data/runs.ts';
import type { Sample } from '../data/sample.ts';
import { shardsOf, type TargetRequest } from './batches.ts';
import { ahead } from '../data/batch.ts';
import type { Shard, StepResult } from './engine.ts';
import { update, type TrainingState, type UpdateOptions } from './update.ts';
import type { Parameter } from './parameters.ts';
import { rateFactor, type Schedule } from './optimizers.ts';
import type { View } from './view.ts';

/** The workers, as the loop sees them. */
export interface Workers {
  readonly count: number;
  /** Sums over the shards; gradients are written to the array given. */
  step(
    worker: number,
    parameters: Float32Array,
    shards: readonly Shard[],
    gradients: Float32Array,
    phase: number,
  ): Promise<StepResult>;
}

/** What evaluation finds. */
export interface Metric {
  readonly name: string;
  readonly value: number;
}

/** One point of the training curve. */
export interface Point {
  /** From 1. */
  readonly step: number;
  readonly loss: number;
  readonly lr: number;
  /** Norm of the gradient, before clipping. */
  readonly norm: number;
  readonly terms: readonly number[];
}

/** Settings of the loop. */
export interface TrainOptions extends UpdateOptions {
  readonly lr: number;
  readonly schedule: Schedule;
  /** Step from which on scales rest. */
  readonly freezeScales: number;
  /**
   * Step from which on BatchNormalization uses its running statistics, which rest: the second training graph. Undefined when
   * there is but one graph, in which statistics rest.
   */
  readonly freezeNorms: number | undefined;
  /** Steps between evaluations and between checkpoints; 0: none. */
  readonly evaluateEvery: number;
  readonly checkpointEvery: number;
  /** Evaluations without a better result after which training ends; undefined: never. */
  readonly patience: number | undefined;
}

/** What is kept beside the parameters: the best so far, as it is evaluated, and how many evaluations ago it was. */
export interface Progress {
  best: { readonly step: number; readonly metric: Metric; readonly parameters: Float32Array } | undefined;
  sinceBest: number;
  /** The loss before the first update, by which divergence is recognized. */
  firstLoss: number | undefined;
}

/** What the loop calls. */
export interface TrainHooks {
  onStep(point: Point): void;
  /** Undefined without samples to evaluate on. */
  evaluate?(parameters: Float32Array): Promise<Metric>;
  onEvaluation?(step: number, metric: Metric): void;
  checkpoint?(state: TrainingState, progress: Progress): void;
}

/** A loss this many times larger than the first means that training has diverged. */
const diverged = 50;
/** Below this a loss is as good as none, and its growth means nothing. */
const negligible = 1e-3;

/**
 * Trains `state` up to the last step of the schedule, or until patience ends. Returns whether it ended early.
 * @param runs each a shard: the batch of the training graph
 * @param batches from the step on at which `state` is
 * @throws QAT_NAN, QAT_EXPLODING, QAT_DIVERGED; those of the data
 */
export async function train(
  state: TrainingState,
  progress: Progress,
  parameters: readonly Parameter[],
  view: View,
  batches: AsyncGenerator<readonly Sample[]>,
  runs: Runs,
  target: TargetRequest | undefined,
  workers: Workers,
  options: TrainOptions,
  hooks: TrainHooks,
): Promise<boolean> {
  const { schedule } = options;
  const sums = Array.from({ length: workers.count }, () => new Float32Array(state.parameters.length));
  const seen = new Float32Array(state.parameters.length);
  const source = ahead(batches);
  try {
    while (state.step < schedule.steps) {
      const { value: samples } = (await source.next()) as IteratorYieldResult<readonly Sample[]>;
      const shards = shardsOf(samples, runs, target);
      const { freezeNorms } = options;
      const follows = freezeNorms !== undefined && state.step < freezeNorms;
      const phase = freezeNorms === undefined || follows ? 0 : 1;
      view.trained(state.parameters, seen);
      const results = await Promise.all(
        sums.map((sum, worker) => {
          const own = shards.filter((_, i) => i % workers.count === worker);
          return own.length > 0 ? workers.step(worker, seen, own, sum, phase) : undefined;
        }),
      );
      const point = reduce(results, shards.length);
      checkLoss(point.loss, state.step + 1, (progress.firstLoss ??= point.loss));
      const lr = options.lr * rateFactor(schedule, state.step);
      const used = results.flatMap((result, worker) => (result ? [sums[worker]!] : []));
      const gradients = mean(used, shards.length);
      const norm = update(state, gradients, parameters, lr, options, {
        scales: state.step >= options.freezeScales,
        statistics: !follows,
      });
      hooks.onStep({ step: state.step, lr, norm, ...point });
      if (await evaluateAndSave(state, progress, view, options, hooks)) return true;
    }
    return false;
  } finally {
    await source.return(undefined);
  }
}

/** Evaluates, then writes the checkpoint, which holds what was found. True when patience has ended. */
async function evaluateAndSave(
  state: TrainingState,
  progress: Progress,
  view: View,
  { evaluateEvery, checkpointEvery, patience, schedule }: TrainOptions,
  hooks: TrainHooks,
): Promise<boolean> {
  const isLast = state.step === schedule.steps;
  let ends = false;
  if (hooks.evaluate && ((evaluateEvery > 0 && state.step % evaluateEvery === 0) || isLast)) {
    const seen = view.evaluated(state.parameters, new Float32Array(state.parameters.length));
    const metric = await hooks.evaluate(seen);
    hooks.onEvaluation?.(state.step, metric);
    if (progress.best === undefined || metric.value > progress.best.metric.value) {
      progress.best = { step: state.step, metric, parameters: seen };
      progress.sinceBest = 0;
    } else {
      progress.sinceBest++;
      ends = patience !== undefined && progress.sinceBest >= patience;
    }
  }
  if (checkpointEvery > 0 && (state.step % checkpointEvery === 0 || isLast || ends)) {
    hooks.checkpoint?.(state, progress);
  }
  return ends;
}

/** The loss of a step and of its terms, means over the shards. */
function reduce(
  results: readonly (StepResult | undefined)[],
  shards: number,
): { loss: number; terms: readonly number[] } {
  const done = results.filter((result) => result !== undefined);
  const total = done.reduce((sum, { loss }) => sum + loss, 0);
  const terms = done[0]!.terms.map((_, i) => done.reduce((sum, each) => sum + each.terms[i]!, 0) / shards);
  return { loss: total / shards, terms };
}

/** The mean gradient: the sums of the workers added up in their order, in float64. */
function mean(sums: readonly Float32Array[], shards: number): Float32Array {
  const result = new Float32Array(sums[0]!.length);
  for (let i = 0; i < result.length; i++) {
    let sum = 0;
    for (const part of sums) sum += part[i]!;
    result[i] = sum / shards;
  }
  return result;
}

function checkLoss(loss: number, step: number, first: number): void {
  if (!Number.isFinite(loss)) throw finetuneErrors.nanLoss(step, loss);
  if (loss > diverged * Math.max(first, negligible)) throw finetuneErrors.diverged(step, loss, first);
}
