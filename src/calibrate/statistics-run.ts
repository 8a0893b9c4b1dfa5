/**
 * The augmented graph at work: a session, what it returns as statistics, and where its elements land. When enough tensors can
 * grow no further, a session without their extremes takes over, if it gives the very same for all others.
 */
import type { SessionOptions } from '../backends/options.ts';
import { openSession, type Session } from '../backends/session.ts';
import type { Model } from '../graph/model.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Interval } from '../ops/op.ts';
import { LandingStrip } from './landing.ts';
import type { Landing } from './observers/observer.ts';
import { Saturation } from './saturation.ts';
import { buildStatistics, statisticsReader, type Probe, type StatisticsGraph, type Suspect } from './statistics.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

export interface RunStatistics {
  readonly values: ReturnType<ReturnType<typeof statisticsReader>>['values'];
  readonly suspect: Suspect | undefined;
  /** Sampled elements by tensor, in the order of the names. */
  readonly elements: readonly (TensorValue | undefined)[];
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
  readonly landing: Landing | undefined;
  readonly options: SessionOptions;
}

export class StatisticsRun {
  readonly #plan: RunPlan;
  readonly #strip: LandingStrip;
  /** By tensor: whether it may be left out one day. */
  readonly #limited: readonly boolean[];
  #saturation: Saturation | undefined;
  #graph!: StatisticsGraph;
  #session: Session | undefined;
  #read!: ReturnType<typeof statisticsReader>;
  /** Milliseconds. */
  #opening = 0;
  #running = 0;
  #runs = 0;

  private constructor(plan: RunPlan) {
    this.#plan = plan;
    this.#strip = new LandingStrip(plan.landing);
    this.#saturation = new Saturation(plan.probes, plan.names);
    const limited = new Set(plan.probes.filter(({ limits }) => limits).map(({ tensor }) => tensor));
    this.#limited = plan.names.map((name) => limited.has(name));
  }

  static async open(plan: RunPlan): Promise<StatisticsRun> {
    const run = new StatisticsRun(plan);
    await run.#open(new Map());
    return run;
  }

  /** Whether the elements of a tensor leave the graph. */
  hasElements(tensor: string): boolean {
    return this.#graph.elements.has(tensor);
  }

  /** The arrays of `values` are reused at every call. */
  async run(feeds: Tensors): Promise<RunStatistics> {
    const start = performance.now();
    const results = await this.#strip.run(this.#session!, feeds, this.#graph.elements);
    this.#running += performance.now() - start;
    this.#runs++;
    const statistics = this.#read(this.#vector(results));
    this.#saturation?.add(statistics.values);
    const elements = this.#plan.names.map((name) => results[this.#graph.elements.get(name) ?? '']);
    return { ...statistics, values: { ...statistics.values, limited: this.#limited }, elements, results };
  }

  /**
   * Leaves out what can grow no further, when that pays.
   * @param feeds those of the last run, `results` what it returned
   * @param left how many runs are still to come, at most
   * @returns whether it did
   */
  async slim(feeds: Tensors, results: Tensors, left: number): Promise<boolean> {
    const full = this.#saturation?.due((this.#opening * this.#runs) / this.#running, left);
    if (!full) return false;
    const before = byColumn(this.#graph, this.#vector(results));
    // One session at a time: two would need the memory of two.
    await this.dispose();
    await this.#open(new Map(full));
    const after = byColumn(
      this.#graph,
      this.#vector(await this.#strip.run(this.#session!, feeds, this.#graph.elements)),
    );
    if ([...after].every(([column, value]) => Object.is(value, before.get(column)))) return true;
    this.#saturation = undefined;
    await this.dispose();
    await this.#open(new Map());
    return false;
  }

  async dispose(): Promise<void> {
    await this.#session?.dispose();
    this.#session = undefined;
  }

  async #open(full: ReadonlyMap<string, Interval>): Promise<void> {
    const { model, probes, names, kept, byChannel, options } = this.#plan;
    const left = probes.map((probe) =>
      full.has(probe.tensor) ? { ...probe, columns: probe.columns.filter((column) => column === 'nan') } : probe,
    );
    this.#graph = buildStatistics(model, left, kept, byChannel);
    this.#read = statisticsReader(this.#graph, names, full);
    const start = performance.now();
    this.#session = await openSession(this.#graph.model, options);
    this.#opening = performance.now() - start;
  }

  #vector(results: Tensors): Float32Array {
    return results[this.#graph.output]!.data as Float32Array;
  }
}

/** Without ties, whose values mean nothing. */
function byColumn({ columns }: StatisticsGraph, vector: Float32Array): Map<string, number> {
  const values = new Map<string, number>();
  let at = 0;
  for (const { tensor, column, length } of columns) {
    const wanted = column === 'tie' ? 0 : length;
    for (let i = 0; i < wanted; i++) values.set(`${column} ${i} ${tensor}`, vector[at + i]!);
    at += length;
  }
  return values;
}
