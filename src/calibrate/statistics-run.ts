/**
 * The augmented graph at work: a session, what it returns as statistics, and where its elements are written. After a while another session
 * may go on with a cheaper graph, if it gives the very same for the samples at hand: one without the extremes of tensors that can grow no
 * further (saturation.ts).
 */
import type { SessionOptions } from '../backends/session-options.ts';
import { openSession, type Session } from '../backends/session.ts';
import type { Model } from '../graph/model.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Interval } from '../ops/op.ts';
import { Counter } from './kernels/counter.ts';
import { PreallocatedOutputs } from './preallocated-outputs.ts';
import type { ElementMemory } from './observers/observer.ts';
import { phasesOf } from './element-positions.ts';
import { Saturation } from './saturation.ts';
import { statisticsByName, statisticsReader, type Reading, type Memory } from './statistics-reader.ts';
import { augmentGraph, type Probe, type AugmentedGraph } from './augmented-graph.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

export interface RunStatistics extends Reading {
  /** All that the graph returned. */
  readonly results: Tensors;
}

/** How the samples of a calibration are run. */
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
  readonly memory: ElementMemory | undefined;
  readonly options: SessionOptions;
}

/** Runs samples one after the other. */
export class StatisticsRun {
  readonly #plan: RunPlan;
  readonly #outputs: PreallocatedOutputs;
  readonly #memory: Memory;
  /** By tensor: whether it may be left out one day. */
  readonly #limited: readonly boolean[];
  #saturation: Saturation | undefined;
  #graph!: AugmentedGraph;
  #session: Session | undefined;
  /** Of the samples of the last run. */
  #phases!: TensorValue;
  #read!: ReturnType<typeof statisticsReader>;
  /** Milliseconds. */
  #opening = 0;
  #running = 0;
  #runs = 0;

  private constructor(plan: RunPlan) {
    const { probes, names, memory } = plan;
    this.#plan = plan;
    this.#outputs = new PreallocatedOutputs(memory);
    this.#memory = memory ?? new Counter();
    const limited = probes.filter(({ limits }) => limits);
    // The extremes of elements that leave anyway cost next to nothing.
    const reduced = limited.filter(({ elements }) => elements !== 'all');
    if (reduced.length > 0) this.#saturation = new Saturation(reduced, names);
    const may = new Set(limited.map(({ tensor }) => tensor));
    this.#limited = names.map((name) => may.has(name));
  }

  static async open(plan: RunPlan): Promise<StatisticsRun> {
    const run = new StatisticsRun(plan);
    await run.#open(run.#build(new Map()), new Map());
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
    const results = await this.#compute(feeds);
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
    const full = this.#saturation?.due((this.#opening * this.#runs) / this.#running, left);
    if (!full) return false;
    const before = statisticsByName(this.#graph, await this.#compute(feeds));
    // Later finds do not belong to this session.
    const known = new Map(full);
    await this.#reopen(known);
    const after = statisticsByName(this.#graph, await this.#compute(feeds));
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
    await this.#session?.dispose();
    this.#session = undefined;
    await this.#open(this.#build(full), full);
  }

  /** @param full what it leaves out */
  #build(full: ReadonlyMap<string, Interval>): AugmentedGraph {
    const { model, probes, kept, byChannel, samples = 1, open = false } = this.#plan;
    const left = probes.map((probe) =>
      full.has(probe.tensor) ? { ...probe, columns: probe.columns.filter((column) => column === 'nan') } : probe,
    );
    return augmentGraph(model, left, { kept, byChannel, samples, open });
  }

  /** @param known extremes that the graph does not compute */
  async #open(graph: AugmentedGraph, known: ReadonlyMap<string, Interval>): Promise<void> {
    const start = performance.now();
    this.#session = await openSession(graph.model, this.#plan.options);
    this.#opening = performance.now() - start;
    this.#graph = graph;
    this.#outputs.renew();
    this.#read = statisticsReader(graph, this.#plan.names, this.#memory, known);
  }

  #compute(feeds: Tensors): Promise<Tensors> {
    const { phase } = this.#graph;
    const all = phase === undefined ? feeds : { ...feeds, [phase]: this.#phases };
    return this.#outputs.run(this.#session!, all, this.#plan.kept);
  }
}
