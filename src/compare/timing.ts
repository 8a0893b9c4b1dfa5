/** Latency, and where it goes by operator: both measured on one real sample, once the outputs have been compared. */
import { feedsOf, firstSample, runsOfBoth, type NamedSession } from './feeds.ts';
import { measureLatency } from './latency.ts';
import type { OpenedModel } from './model-facts.ts';
import { profileBoth } from './profile.ts';
import type { Latency, Profile } from './report.ts';
import { feedsOf as feedsOfSamples } from '../data/batch.ts';
import { alone, rowsOf } from '../data/runs.ts';
import type { Dataset, Selection } from '../data/sample.ts';

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

export async function timeModels(options: TimingOptions): Promise<{ latencyMs?: Latency; profile?: Profile }> {
  const { float, quant, dataset, selection, threads, latency, profile, budgetMs } = options;
  if (!latency && !profile) return {};
  const sample = await firstSample(dataset, selection);
  // One real sample, as many times as a fixed batch dimension wants.
  const runs = alone(runsOfBoth(float, quant, sample, dataset, 1));
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
