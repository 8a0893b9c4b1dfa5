/**
 * The augmented graph at work: a session, what it returns as statistics, and where its elements land. It begins in the rigid form;
 * the first sample of other shapes makes it go on in the loose one. When enough tensors can grow no further, a session without their
 * extremes takes over, if it gives the very same for all others.
 */
import type { SessionOptions } from '../backends/options.ts';
import { openSession, type Session } from '../backends/session.ts';
import type { Model } from '../graph/model.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Interval } from '../ops/op.ts';
import { LandingStrip } from './landing.ts';
import type { Landing } from './observers/observer.ts';
import { Saturation } from './saturation.ts';
import { statisticsByName, statisticsReader, type Reading } from './statistics-reader.ts';
import { buildStatistics, type Probe, type StatisticsGraph } from './statistics.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

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
  readonly landing: Landing | undefined;
  readonly options: SessionOptions;
}

export class StatisticsRun {
  readonly #plan: RunPlan;
  readonly #strip: LandingStrip;
  /** By tensor: whether it may be left out one day. */
  readonly #limited: readonly boolean[];
  #saturation: Saturation | undefined;
  /** Whether every run so far had the shapes of the first sample. */
  #rigid: boolean;
  /** What the open session leaves out. */
  #full: ReadonlyMap<string, Interval> = new Map();
  /** Outputs to land. */
  #landed: readonly string[] = [];
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
    this.#rigid = plan.probes.every(({ traced, elements }) => elements === 'none' || !traced?.dims.includes(0));
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
    const { parts, elements } = this.#graph;
    const joined = parts.some(({ columns }) =>
      columns.some((each) => each.column === 'elements' && each.tensor === tensor),
    );
    return joined || elements.has(tensor);
  }

  /** The arrays of `values` are reused at every call. */
  async run(feeds: Tensors): Promise<RunStatistics> {
    const start = performance.now();
    let results = await this.#land(feeds);
    this.#running += performance.now() - start;
    this.#runs++;
    let reading = this.#read(results);
    if (!reading) {
      // Shapes differ from those of the first sample, now and perhaps ever again.
      this.#rigid = false;
      await this.#reopen(this.#full);
      results = await this.#land(feeds);
      // The loose form knows but one kind of list, of channels, whose number no sample changes.
      reading = this.#read(results)!;
    }
    this.#saturation?.add(reading.values);
    return { ...reading, values: { ...reading.values, limited: this.#limited }, results };
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
    const before = statisticsByName(this.#graph, results);
    // Later finds do not belong to this session.
    await this.#reopen(new Map(full));
    const after = statisticsByName(this.#graph, await this.#land(feeds));
    if ([...after].every(([name, value]) => Object.is(value, before.get(name)))) return true;
    this.#saturation = undefined;
    await this.#reopen(new Map());
    return false;
  }

  async dispose(): Promise<void> {
    await this.#session?.dispose();
    this.#session = undefined;
  }

  /** One session at a time: two would need the memory of two. */
  async #reopen(full: ReadonlyMap<string, Interval>): Promise<void> {
    await this.dispose();
    await this.#open(full);
  }

  async #open(full: ReadonlyMap<string, Interval>): Promise<void> {
    const { model, probes, names, kept, byChannel, options } = this.#plan;
    this.#full = full;
    const left = probes.map((probe) =>
      full.has(probe.tensor) ? { ...probe, columns: probe.columns.filter((column) => column === 'nan') } : probe,
    );
    this.#graph = buildStatistics(model, left, { kept, byChannel, rigid: this.#rigid });
    this.#read = statisticsReader(this.#graph, names, full);
    const lists = this.#rigid ? this.#graph.parts.map(({ output }) => output) : [...this.#graph.elements.values()];
    this.#landed = probes.some(({ elements }) => elements !== 'none') ? lists : [];
    this.#strip.renew();
    const start = performance.now();
    this.#session = await openSession(this.#graph.model, options);
    this.#opening = performance.now() - start;
  }

  #land(feeds: Tensors): Promise<Tensors> {
    return this.#strip.run(this.#session!, feeds, this.#landed);
  }
}
