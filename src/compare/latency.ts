/**
 * Latency of the two models, on one real sample, once the outputs have been compared. They are measured in turns: whatever else slows the
 * machine meets both alike, so that their ratio is steadier than either time. Medians, because the noise of a shared machine is one-sided.
 */
import { feedsOf, firstSample, runsOfBoth, type NamedSession, type OpenedModel } from './models.ts';
import { profileBoth } from './profile.ts';
import type { Latency, Profile } from './report.ts';
import { feedsOf as feedsOfSamples } from '../data/batch.ts';
import { oneAtATime, rowsOf } from '../data/runs.ts';
import type { Dataset, Selection } from '../data/sample.ts';
import { quantile } from './statistics.ts';

export interface LatencyOptions {
  readonly float: () => Promise<unknown>;
  readonly quant: () => Promise<unknown>;
  /** Samples in each run, for the report. */
  readonly batch: number;
  /** Milliseconds for all measured runs together. Default 1500. */
  readonly budgetMs?: number;
  /** Runs of each model, however long they take. Default 10. */
  readonly minimumRuns?: number;
  /** Clock in milliseconds. */
  readonly now?: () => number;
}

/** The first runs allocate memory and fill caches. */
const warmUpRuns = 2;

/** Runs both in turns: milliseconds. */
export async function measureLatency(options: LatencyOptions): Promise<Latency> {
  const { float, quant, batch, budgetMs = 1500, minimumRuns = 10, now = () => performance.now() } = options;
  for (let i = 0; i < warmUpRuns; i++) {
    await float();
    await quant();
  }
  const times = { float: [] as number[], quant: [] as number[] };
  const timed = async (which: 'float' | 'quant'): Promise<void> => {
    const start = now();
    await (which === 'float' ? float() : quant());
    times[which].push(now() - start);
  };
  const start = now();
  // Which goes first changes every round: the first finds the caches as the other left them.
  for (let round = 0; round < minimumRuns || now() - start < budgetMs; round++) {
    const order = round % 2 === 0 ? (['float', 'quant'] as const) : (['quant', 'float'] as const);
    for (const which of order) await timed(which);
  }
  const [floatTime, quantTime] = [summary(times.float), summary(times.quant)];
  return {
    float: floatTime,
    quant: quantTime,
    speedup: floatTime.p50 / quantTime.p50,
    runs: times.float.length,
    batch,
  };
}

function summary(times: readonly number[]): { p50: number; p95: number } {
  return { p50: quantile(times, 0.5), p95: quantile(times, 0.95) };
}

export interface TimingOptions {
  readonly float: NamedSession & { readonly model: OpenedModel };
  readonly quant: NamedSession & { readonly model: OpenedModel };
  readonly dataset: Dataset;
  readonly selection: Selection;
  readonly threads: number;
  readonly latency: boolean;
  readonly profile: boolean;
  readonly budgetMs?: number | undefined;
}

/** Measures latency, and where it goes by operator (profile.ts), as far as asked for. */
export async function timeModels(options: TimingOptions): Promise<{ latencyMs?: Latency; profile?: Profile }> {
  const { float, quant, dataset, selection, threads, latency, profile, budgetMs } = options;
  if (!latency && !profile) return {};
  const sample = await firstSample(dataset, selection);
  // One real sample, as many times as a fixed batch dimension wants.
  const runs = oneAtATime(runsOfBoth(float, quant, sample, dataset, 1));
  const inputs = feedsOfSamples([sample], runs);
  const [floatFeeds, quantFeeds] = [feedsOf(float, inputs), feedsOf(quant, inputs)];
  const budget = budgetMs === undefined ? {} : { budgetMs };
  const latencyMs =
    latency &&
    (await measureLatency({
      float: () => float.session.run(floatFeeds),
      quant: () => quant.session.run(quantFeeds),
      batch: rowsOf(runs, 1),
      ...budget,
    }));
  const profiled =
    profile &&
    (await profileBoth({
      float: { source: float.model.source, name: float.name, feeds: floatFeeds },
      quant: { source: quant.model.source, name: quant.name, feeds: quantFeeds },
      threads,
      ...budget,
    }));
  return { ...(latencyMs && { latencyMs }), ...(profiled && { profile: profiled }) };
}
