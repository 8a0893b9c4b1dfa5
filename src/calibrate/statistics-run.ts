/**
 * The augmented graph at work: a session, what it returns as statistics, and where its elements land. After a while another session
 * may go on with a cheaper graph, if it gives the very same for the samples at hand: one that leaves whole tensors in blocks
 * (blocked.ts), or one without the extremes of tensors that can grow no further (saturation.ts).
 */
import { constantBytes, OptimizedGraph } from '../backends/session-files.ts';
import type { SessionOptions } from '../backends/session-options.ts';
import { openSession, type Session } from '../backends/session.ts';
import type { Model } from '../graph/model.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Interval } from '../ops/op.ts';
import { canStayBlocked, stayBlocked } from './blocked.ts';
import { Counter } from './kernels/counter.ts';
import { LandingStrip } from './landing.ts';
import type { Landing } from './observers/observer.ts';
import { phasesOf } from './phase.ts';
import { Saturation } from './saturation.ts';
import { statisticsByName, statisticsReader, type Reading } from './statistics-reader.ts';
import { buildStatistics, type Probe, type StatisticsGraph } from './statistics.ts';
import type { Memory } from './whole.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

/** Bytes of constants that may be in memory twice for the moment in which a session opens. */
const mostInline = 2 ** 28;
/** Windows would not remove the file under the session. */
const canMap = process.platform !== 'win32';

export interface RunStatistics extends Reading {
  /** All that the graph returned. */
  readonly results: Tensors;
}

export interface RunPlan {
  readonly model: Model;
  readonly probes: readonly Probe[];
  /** Tensors, in the order of the statistics. */
  readonly names: readonly string[];
  /** Outputs of the model to return as well. */
  readonly kept: readonly string[];
  /** Runs are of one sample, and maxima of images leave the graph channel by channel. */
  readonly byChannel: boolean;
  /** Samples in a run; default 1. */
  readonly samples?: number;
  /** Whether shapes differ from sample to sample; default no. */
  readonly open?: boolean;
  readonly landing: Landing | undefined;
  readonly options: SessionOptions;
  /** Runs to come, at most. */
  readonly runs: number;
}

export class StatisticsRun {
  readonly #plan: RunPlan;
  readonly #strip: LandingStrip;
  readonly #memory: Memory;
  /** By tensor: whether it may be left out one day. */
  readonly #limited: readonly boolean[];
  #saturation: Saturation | undefined;
  #graph!: StatisticsGraph;
  /** What onnxruntime made of the graph, until it is taken up. */
  #optimized: OptimizedGraph | undefined;
  #session: Session | undefined;
  /** Of the samples of the last run. */
  #phases!: TensorValue;
  #read!: ReturnType<typeof statisticsReader>;
  /** Milliseconds. */
  #opening = 0;
  #running = 0;
  #runs = 0;

  private constructor(plan: RunPlan) {
    const { probes, names, landing } = plan;
    this.#plan = plan;
    this.#strip = new LandingStrip(landing);
    this.#memory = landing ?? new Counter();
    const limited = probes.filter(({ limits }) => limits);
    // The extremes of elements that leave anyway cost next to nothing.
    const reduced = limited.filter(({ elements }) => elements !== 'all');
    if (reduced.length > 0) this.#saturation = new Saturation(reduced, names);
    const may = new Set(limited.map(({ tensor }) => tensor));
    this.#limited = names.map((name) => may.has(name));
  }

  static async open(plan: RunPlan): Promise<StatisticsRun> {
    const run = new StatisticsRun(plan);
    const { model, probes, runs, options } = plan;
    const graph = run.#build(new Map());
    if (canStayBlocked(model, probes, runs)) {
      try {
        run.#optimized = new OptimizedGraph();
        await run.#open(graph, new Map(), { ...options, ...run.#optimized.options });
        return run;
      } catch {
        // No room for the file, say; whatever it was, it shows again without.
        run.#forgetOptimized();
      }
    }
    await run.#open(graph, new Map(), options);
    return run;
  }

  /** Whether the elements of a tensor leave the graph. */
  hasElements(tensor: string): boolean {
    return this.#graph.elements.has(tensor);
  }

  /**
   * The arrays of `values` are reused at every call, and the elements lie where the next run writes.
   * @param ids of the samples, from which it follows which elements are taken
   */
  async run(feeds: Tensors, ids: readonly string[] = []): Promise<RunStatistics> {
    this.#phases = phasesOf(ids, this.#plan.samples ?? 1);
    const start = performance.now();
    const results = await this.#land(feeds);
    this.#running += performance.now() - start;
    this.#runs++;
    const reading = this.#read(results);
    this.#saturation?.add(reading.values);
    return { ...reading, values: { ...reading.values, limited: this.#limited }, results };
  }

  /**
   * Goes over to a cheaper graph when that pays.
   * @param feeds those of the last run, on which the two are compared
   * @param left how many runs are still to come, at most
   * @returns whether it did
   */
  async refine(feeds: Tensors, left: number): Promise<boolean> {
    if (this.#optimized) return this.#leaveBlocked(this.#optimized, feeds);
    const full = this.#saturation?.due((this.#opening * this.#runs) / this.#running, left);
    if (!full) return false;
    const before = statisticsByName(this.#graph, await this.#land(feeds));
    // Later finds do not belong to this session.
    const known = new Map(full);
    await this.#reopen(this.#build(known), known, this.#plan.options);
    const after = statisticsByName(this.#graph, await this.#land(feeds));
    if ([...after].every(([name, value]) => Object.is(value, before.get(name)))) return true;
    this.#saturation = undefined;
    await this.#reopen(this.#build(new Map()), new Map(), this.#plan.options);
    return false;
  }

  async dispose(): Promise<void> {
    await this.#session?.dispose();
    this.#session = undefined;
    this.#forgetOptimized();
  }

  #forgetOptimized(): void {
    this.#optimized?.remove();
    this.#optimized = undefined;
  }

  async #leaveBlocked(optimized: OptimizedGraph, feeds: Tensors): Promise<boolean> {
    const rows = this.#graph;
    const { model, options } = this.#plan;
    try {
      const blocks = await stayBlocked(rows, optimized.read(canMap && constantBytes(model) > mostInline));
      if (!blocks) return false;
      const before = fingerprints(this.#read(await this.#land(feeds)));
      await this.#reopen(blocks, new Map(), { ...options, level: 'disabled' });
      const after = fingerprints(this.#read(await this.#land(feeds)));
      if (after.every((each, i) => Object.is(each, before[i]))) return true;
    } catch {
      // Another release of onnxruntime may have other operators.
    } finally {
      this.#forgetOptimized();
    }
    await this.#reopen(rows, new Map(), options);
    return false;
  }

  /** One session at a time: two would need the memory of two. */
  async #reopen(graph: StatisticsGraph, known: ReadonlyMap<string, Interval>, options: SessionOptions): Promise<void> {
    await this.#session?.dispose();
    this.#session = undefined;
    await this.#open(graph, known, options);
  }

  /** @param full what it leaves out */
  #build(full: ReadonlyMap<string, Interval>): StatisticsGraph {
    const { model, probes, kept, byChannel, samples = 1, open = false } = this.#plan;
    const left = probes.map((probe) =>
      full.has(probe.tensor) ? { ...probe, columns: probe.columns.filter((column) => column === 'nan') } : probe,
    );
    return buildStatistics(model, left, { kept, byChannel, samples, open });
  }

  /** @param known extremes that the graph does not compute */
  async #open(graph: StatisticsGraph, known: ReadonlyMap<string, Interval>, options: SessionOptions): Promise<void> {
    const start = performance.now();
    this.#session = await openSession(graph.model, options);
    this.#opening = performance.now() - start;
    this.#graph = graph;
    this.#strip.renew();
    this.#read = statisticsReader(graph, this.#plan.names, this.#memory, known);
  }

  #land(feeds: Tensors): Promise<Tensors> {
    const { phase } = this.#graph;
    const all = phase === undefined ? feeds : { ...feeds, [phase]: this.#phases };
    return this.#strip.run(this.#session!, all, this.#plan.kept);
  }
}

/** Numbers that two readings of the same tensors share, whatever the order of elements: extremes, and sums of all bits. */
function fingerprints({ values, elements }: Reading): number[] {
  const sums = elements.map((each) => {
    if (!each) return 0;
    const { buffer, byteOffset, length } = each.data;
    let sum = length;
    const bits = new Uint32Array(buffer, byteOffset, length);
    for (let i = 0; i < length; i++) sum = (sum + bits[i]!) | 0;
    return sum;
  });
  return [...values.min, ...values.max, ...values.channels.flatMap((each) => [...(each ?? [])]), ...sums];
}
