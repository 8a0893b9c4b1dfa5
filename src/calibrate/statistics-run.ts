/**
 * The augmented graph at work: a session, what it returns as statistics, and where its elements are written.
 *
 * After a while another session may go on without the extremes of saturated tensors: those behind a Clip whose range already fills its
 * limits. No sample can widen it, so that looking is a waste, and in networks with ReLU6 they are most of what there is to look at. Once at
 * least half of those are full and enough samples are left, a session without them takes over, if it gives the very same bits for all
 * others. Only those are left out where the rest is certain not to notice: with a convolution on one side, of which the Clip becomes a
 * part, and windows on the other, no fusion of onnxruntime reaches across.
 */
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';
import type { Interval } from '../ops/op.ts';
import type { SessionOptions } from '../backends/session-options.ts';
import { openSession, type Session } from '../backends/session.ts';
import type { Model } from '../graph/model.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { BatchStatistics, ElementMemory } from './observers/observer.ts';
import { type Probe, augmentGraph, type AugmentedGraph } from './augmented-graph.ts';
import { Counter } from './kernels/counter.ts';
import { PreallocatedOutputs } from './preallocated-outputs.ts';
import { phasesOf } from './element-positions.ts';
import { statisticsByName, statisticsReader, type Reading, type Memory } from './statistics-reader.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

interface RunStatistics extends Reading {
  /** All that the graph returned. */
  readonly results: Tensors;
}

/** How the samples of a calibration are run. */
interface RunPlan {
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
  #saturation: SaturationWatch | undefined;
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
    if (reduced.length > 0) this.#saturation = new SaturationWatch(reduced, names);
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

/** Operators that read windows. */
const windows = ['Conv', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'] as const;

/** The limits of a tensor that may be left out once it fills them. */
export function saturationLimits(value: Value): Interval | undefined {
  const { producer } = value;
  const limits = producer && specOf(producer)?.clamp?.(producer);
  if (!limits || !Number.isFinite(limits.max - limits.min)) return undefined;
  const made = producer.input(0);
  const alone = made?.producer?.is('Conv') && made.soleUser === producer && value.outputOf.size === 0;
  return alone && [...value.users.keys()].every((user) => user.is(...windows)) ? limits : undefined;
}

/** How many runs pass before the first look; then as many again each time. */
const firstLook = 8;
/** A new session must cost less than this part of the runs that are left: what it saves is a few per cent of them. */
const worth = 0.04;

/** Watches the probes that have limits. */
class SaturationWatch {
  readonly #watched: readonly { readonly probe: Probe; readonly at: number; readonly range: Interval }[];
  readonly #full = new Map<string, Interval>();
  /** How many of them were left out the last time. */
  #leftOut = 0;
  #runs = 0;
  #look = firstLook;

  /** @param tensors in the order of the statistics */
  constructor(probes: readonly Probe[], tensors: readonly string[]) {
    this.#watched = probes.flatMap((probe) => {
      const { limits, columns, tensor } = probe;
      // Where the minimum is not looked for it is reported as 0.
      const min = columns.includes('min') ? limits?.min : 0;
      return limits ? [{ probe, at: tensors.indexOf(tensor), range: { min: min!, max: limits.max } }] : [];
    });
  }

  add({ min, max }: BatchStatistics): void {
    this.#runs++;
    for (const { probe, at, range } of this.#watched)
      if (min[at]! <= range.min && max[at]! >= range.max) this.#full.set(probe.tensor, range);
  }

  /**
   * The tensors to leave out from now on, with their ranges, when it is time to look, and worth it: when it is half of those that
   * are not left out yet.
   * @param opening what a session costs, in runs
   * @param left runs to come, at most
   */
  due(opening: number, left: number): ReadonlyMap<string, Interval> | undefined {
    if (this.#runs < this.#look) return undefined;
    this.#look *= 2;
    const found = this.#full.size - this.#leftOut;
    if (found === 0 || found * 2 < this.#watched.length - this.#leftOut || opening >= left * worth) return undefined;
    this.#leftOut = this.#full.size;
    return this.#full;
  }
}
