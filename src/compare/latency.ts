/**
 * Latency of the two models, measured in turns: whatever else slows the machine meets both alike, so that their ratio is
 * steadier than either time. Medians, because the noise of a shared machine is one-sided.
 */
import type { Latency } from './report.ts';
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
