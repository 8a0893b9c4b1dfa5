/**
 * What each layer costs when it is quantized, measured at the outputs of the model, not guessed from the size of its weights.
 * A first look at a few samples (first-look.ts) orders the layers; then each is measured alone, and as the only one left float; and the
 * shortest list of layers to leave float that meets a bound is searched for in that order.
 */
import { openSession, type Session } from '../../backends/session.ts';
import type { Dataset, Sample, Selection } from '../../data/sample.ts';
import type { TensorValue } from '../../onnx/data-types.ts';
import { compareErrors } from '../../errors/compare.ts';
import { evaluate, type Evaluation } from '../evaluate.ts';
import { holds, type Gate } from '../gates.ts';
import type { TaskEvaluator } from '../metrics/metric.ts';
import type { Sensitivity } from '../report-details.ts';
import { spearman } from '../statistics.ts';
import { firstLook, firstLookSize, SampleErrors } from './first-look.ts';
import type { Pairing } from './pairing.ts';
import { buildSwitchable, type Layer } from './switchable.ts';

export interface SensitivityOptions {
  readonly pairing: Pairing;
  readonly dataset: Dataset;
  /** All of it is held in memory. */
  readonly selection: Selection;
  readonly batchSize?: number | undefined;
  readonly threads: number;
  /** Which figure is measured, and what `exclude` has to reach. */
  readonly gate: Gate;
  /** Search the list to leave float. */
  readonly search: boolean;
  /**
   * What the int8 model would be without these layers: those that only follow them stay float too, and results that are read in float
   * are written so. Default: the others stay as they are.
   */
  readonly without?: ((excluded: readonly string[]) => Remaining) | undefined;
  /** Measure only the layers that the first look finds most harmful; the others have the estimate alone. */
  readonly measure: number;
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
  /** See SessionOptions. */
  readonly onFallback?: (told: string) => void;
}

/** Labels of nodes. */
export interface Remaining {
  readonly int8: ReadonlySet<string>;
  /** Those of them that write codes. */
  readonly writing: ReadonlySet<string>;
}

export interface SensitivityResult extends Omit<Sensitivity, 'until'> {
  /** Of the simulation with `exclude` left float. */
  readonly reached?: number;
}

/** Float outputs kept for all passes, in elements; beyond it the float model runs again. */
const mostKept = 2 ** 26;
/** Lists longer than this are not tried without each of their members. */
const mostTrials = 40;

export async function measureSensitivity(options: SensitivityOptions): Promise<SensitivityResult> {
  const { pairing, gate, threads, onFallback } = options;
  const { model, layers } = buildSwitchable(pairing);
  if (layers.length === 0) throw compareErrors.noLayers();
  const samples: Sample[] = [];
  for await (const sample of options.dataset.samples(options.selection)) samples.push(sample);
  const session = await openSession(
    model,
    { threads, simulate: true, ...(onFallback && { onFallback }) },
    'the model with switched quantizers',
  );
  try {
    const measured = figures(session, layers, samples, options);
    const leaving = (excluded: readonly Layer[]): Promise<number> => {
      const others = layers.filter((each) => !excluded.includes(each));
      if (!options.without || excluded.length === 0) return measured(others);
      const { int8, writing } = options.without(excluded.map(({ node }) => node));
      const on = others.filter(({ node }) => int8.has(node));
      return measured(
        on,
        undefined,
        on.filter(({ node }) => writing.has(node)),
      );
    };
    const measures = Math.min(layers.length, options.measure);
    const total = layers.length + 2 * measures + 1;
    let done = 0;
    const step = (value: number): number => {
      options.onProgress?.(++done, total);
      return value;
    };
    const errors = new SampleErrors();
    const base = step(await measured(layers, errors));
    const bySample = errors.perSample();
    // Samples that hand their state on to the next are looked at from the first, and so are those whose outputs are all texts.
    const few =
      (options.dataset.carry ?? []).length > 0 || bySample.length === 0
        ? samples.slice(0, firstLookSize)
        : firstLook(bySample).map((at) => samples[at]!);
    const look = figures(session, layers, few, options);
    const rows: { layer: Layer; fast: number; alone?: number; leftFloat?: number }[] = [];
    for (const layer of layers) rows.push({ layer, fast: step(await look([layer])) });
    const harm = (value: number): number => (gate.metric.better === 'higher' ? -value : value);
    rows.sort((a, b) => descending(harm(a.fast), harm(b.fast)));
    for (const row of rows.slice(0, measures)) {
      row.alone = step(await measured([row.layer]));
      row.leftFloat = step(await leaving([row.layer]));
    }
    // Those that were not measured keep their order behind the others.
    const measuredHarm = ({ alone }: (typeof rows)[number]): number => (alone === undefined ? -Infinity : harm(alone));
    rows.sort((a, b) => descending(measuredHarm(a), measuredHarm(b)));
    const both = rows.filter(({ alone }) => alone !== undefined);
    const correlation = spearman(
      both.map(({ fast }) => fast),
      both.map(({ alone }) => alone!),
    );
    const found = options.search
      ? await shortest(
          rows.map(({ layer }) => layer),
          gate,
          leaving,
        )
      : undefined;
    return {
      metric: gate.metric.name,
      unit: gate.metric.unit,
      better: gate.metric.better,
      n: samples.length,
      base,
      layers: rows.map(({ layer: { node, op }, fast, alone, leftFloat }) => ({
        ...{ node, op, fast },
        ...(alone !== undefined && { alone }),
        ...(leftFloat !== undefined && { leftFloat }),
      })),
      ...(Number.isFinite(correlation) && { spearman: correlation }),
      ...(found && { exclude: found.excluded.map(({ node }) => node), reached: found.value }),
    };
  } finally {
    await session.dispose();
  }
}

/** Infinities, which have no difference, are equal. */
function descending(a: number, b: number): number {
  return a < b ? 1 : a > b ? -1 : 0;
}

/** `writing`: those that write codes, if they are not all. */
type Figure = (on: readonly Layer[], evaluator?: TaskEvaluator, writing?: readonly Layer[]) => Promise<number>;

/** The figure of the gate with these layers quantized, against the float outputs of the same samples. */
function figures(
  session: Session,
  layers: readonly Layer[],
  samples: readonly Sample[],
  options: SensitivityOptions,
): Figure {
  const { gate, dataset, batchSize } = options;
  const memory: Dataset = {
    ...dataset,
    count: samples.length,
    async *samples() {
      yield* samples;
    },
    idsHash: () => undefined,
  };
  const switched = (on: readonly Layer[], writing = on): Session => withFlags(session, layers, on, writing);
  const float = remembered(switched([]));
  return async (on, evaluator, writing) => {
    float.rewind();
    const evaluation = await evaluate({
      float: { name: 'the float model', session: float.session },
      quant: { name: 'the int8 model', session: switched(on, writing) },
      dataset: memory,
      selection: { from: 0 },
      batchSize,
      evaluators: evaluator && [evaluator],
    });
    return valueOf(gate, evaluation);
  };
}

/** @throws GATE_OUTPUT, GATE_UNAVAILABLE */
export function valueOf({ metric, target, id }: Gate, { task, outputs, texts }: Evaluation): number {
  const nothing = { bytesFloat: 0, bytesQuant: 0, ratio: NaN };
  const facts = { task, outputs, texts, nodes: [], placement: { int8: 0, float: 0, conversions: 0 }, cost: nothing };
  if (target !== undefined) metric.checkTarget?.(facts, target, id);
  const { value, why } = metric.read(facts, target, NaN);
  if (value === undefined) throw compareErrors.gateUnavailable(id, why ?? 'it has no value');
  return value;
}

function withFlags(
  session: Session,
  layers: readonly Layer[],
  on: readonly Layer[],
  writing: readonly Layer[],
): Session {
  const feeds: Record<string, TensorValue> = {};
  const set = (flag: string, value: boolean): void => {
    feeds[flag] = { type: 'bool', dims: [], data: Uint8Array.of(value ? 1 : 0) };
  };
  const [wanted, writes] = [new Set(on), new Set(writing)];
  for (const layer of layers) {
    set(layer.flag, wanted.has(layer));
    if (layer.result !== undefined) set(layer.result, writes.has(layer));
  }
  return {
    ...session,
    inputs: session.inputs.filter(({ name }) => !(name in feeds)),
    run: (inputs, fetch) => session.run({ ...inputs, ...feeds }, fetch),
  };
}

/** The same results again for the same runs in the same order. */
function remembered(session: Session): { readonly session: Session; rewind(): void } {
  const results: Record<string, TensorValue>[] = [];
  let [next, kept] = [0, 0];
  return {
    rewind: () => void (next = 0),
    session: {
      ...session,
      async run(feeds, fetch) {
        const index = next++;
        const known = results[index];
        if (known) return known;
        const made = await session.run(feeds, fetch);
        kept += Object.values(made).reduce((sum, { data }) => sum + data.length, 0);
        if (kept <= mostKept && index === results.length) results.push(made);
        return made;
      },
    },
  };
}

interface Shortest {
  readonly excluded: readonly Layer[];
  readonly value: number;
}

/**
 * The fewest layers from the top of the ranking that meet the gate, by bisection, then without each of them that proves
 * needless. All layers when even that does not do.
 */
async function shortest(
  ranked: readonly Layer[],
  gate: Gate,
  measure: (excluded: readonly Layer[]) => Promise<number>,
): Promise<Shortest> {
  const meets = (value: number): boolean => holdsAbsolute(gate, value);
  let [low, high] = [0, ranked.length];
  let best: Shortest = { excluded: [], value: await measure([]) };
  if (meets(best.value)) return best;
  best = { excluded: ranked, value: await measure(ranked) };
  if (!meets(best.value)) return best;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const excluded = ranked.slice(0, middle);
    const value = await measure(excluded);
    if (meets(value)) [high, best] = [middle, { excluded, value }];
    else low = middle;
  }
  if (best.excluded.length > mostTrials) return best;
  for (const layer of [...best.excluded].reverse()) {
    const excluded = best.excluded.filter((each) => each !== layer);
    const value = await measure(excluded);
    if (meets(value)) best = { excluded, value };
  }
  return best;
}

/** Whether the value meets the bound of a gate that has passed checkSensitivityGate. */
export function holdsAbsolute({ op, bound }: Gate, value: number): boolean {
  return holds(value, op, bound.kind === 'absolute' ? bound.value : NaN);
}

/** @throws SENSITIVITY_GATE for figures that quantizing a layer does not change by itself, and for bounds that are not numbers */
export function checkSensitivityGate({ id, metric, bound, op }: Gate): void {
  const judged = /^(output\.|agreement$)|\.drop$/.test(metric.name);
  if (!judged || bound.kind !== 'absolute' || op === '==') throw compareErrors.sensitivityGate(id);
}
