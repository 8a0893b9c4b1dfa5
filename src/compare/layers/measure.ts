/**
 * Layer by layer: both models run side by side with every quantized tensor as an output, the float one in its fused form, the
 * quantized one on the kernels that will really run it. From the quantized model leave codes, a quarter of the bytes of floats, and
 * of large tensors only what will be looked at (windows.ts). Everything is folded into sums at once: memory does not grow with samples.
 */
import { withFloat32Ports } from '../../backends/float32-ports.ts';
import type { SessionOptions } from '../../backends/options.ts';
import { release } from '../../backends/release.ts';
import { openSession, type Session } from '../../backends/session.ts';
import { Counter } from '../../calibrate/kernels/counter.ts';
import { traceTensors, type TracedTensor } from '../../calibrate/shapes.ts';
import { batches } from '../../data/batch.ts';
import { carrier } from '../../data/carry.ts';
import type { Dataset, Selection } from '../../data/sample.ts';
import type { Value } from '../../graph/value.ts';
import { elementCount, type TensorValue } from '../../onnx/data-types.ts';
import { feedsOf, filled, firstSample, samplesPerRun, type Feeds, type NamedSession } from '../feeds.ts';
import { isComparable, toNumbers } from '../numbers.ts';
import type { LayerFacts, TensorRow } from '../report-layers.ts';
import type { Pair, Pairing } from './pairing.ts';
import { schemeOf, type Quantizer } from './quantizers.ts';
import { ActivationTally } from './tally.ts';
import { weightFacts } from './weights.ts';
import { budget, canCut, tap, windowsOf, type Cut, type Tapped } from './windows.ts';

export interface MeasureOptions {
  readonly pairing: Pairing;
  /** How messages call the two models. */
  readonly names: { readonly float: string; readonly quant: string };
  readonly dataset: Dataset;
  readonly selection: Selection;
  readonly batchSize?: number | undefined;
  readonly threads: number;
  readonly exactInt8: boolean;
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
}

export interface Layers {
  readonly layers: LayerFacts;
  readonly tensors: TensorRow[];
}

/** Elements of all tapped tensors together that one run may bring out: some 20 MB. */
const elementsPerRun = 2 ** 22;

export async function measureLayers(options: MeasureOptions): Promise<Layers> {
  const { pairing } = options;
  const inBody = 'it stands in the body of a node, from where no tensor can be taken out of a run';
  const taps: Tap[] = [];
  const counter = new Counter();
  const excuses = new Map<Pair, string>();
  for (const pair of pairing.pairs) {
    if (pair.unpaired !== undefined) excuses.set(pair, pair.unpaired);
    else if (pair.quantizer?.kind === 'weight') continue;
    else if (pair.value.graph !== pairing.quant.graph || pair.origin!.graph !== pairing.reference.graph)
      excuses.set(pair, inBody);
    else taps.push({ pair, tally: new ActivationTally(pair.quantizer, counter) });
  }
  const n = taps.length === 0 ? 0 : await run(taps, excuses, options);
  const tallies = new Map(taps.map(({ pair, tally }) => [pair, tally]));
  const tensors = pairing.pairs.map((pair) => rowOf(pair, tallies.get(pair), excuses.get(pair)));
  return {
    layers: { n, tensors: tensors.length, paired: pairing.pairs.filter(({ origin }) => origin).length },
    tensors,
  };
}

interface Tap {
  readonly pair: Pair;
  readonly tally: ActivationTally;
}

async function run(taps: readonly Tap[], excuses: Map<Pair, string>, options: MeasureOptions): Promise<number> {
  const { dataset, selection } = options;
  const carry = dataset.carry ?? [];
  const states = { float: carrier(carry), quant: carrier(carry) };
  let sides = await openSides(taps, states.float.outputs, options, uncut);
  try {
    const first = await firstSample(dataset, selection);
    const asked = carry.length > 0 ? 1 : options.batchSize;
    const { size, fixed } = samplesPerRun(sides.float, sides.quant, first, asked);
    const traced =
      carry.length > 0 || (fixed && size > 1) ? undefined : await trace(taps, first.inputs, sides, options);
    const room = fixed || !traced ? size : Math.min(size, fits(traced.float));
    // Samples that share a run would share their windows, and the result would depend on how many do.
    let cut = traced && room === 1 ? cutsOf(taps, traced, options.pairing) : uncut;
    const reopen = async (): Promise<void> => {
      await sides.dispose();
      sides = await openSides(taps, states.float.outputs, options, cut);
    };
    if (cut.quant.size > 0) await reopen();
    let n = 0;
    for await (const batch of batches(dataset, selection, room)) {
      const rows = fixed ? size : batch.size;
      const inputs = (state: typeof states.float): Feeds => filled({ ...batch, inputs: state.feeds(batch) }, rows);
      const feeds = [inputs(states.float), inputs(states.quant), n] as const;
      let made: Made;
      try {
        made = await runSides(sides, ...feeds);
      } catch (error) {
        if (cut.quant.size === 0) throw error;
        // A tensor of another size than the first sample's; whatever else it was shows again.
        cut = uncut;
        await reopen();
        made = await runSides(sides, ...feeds);
      }
      states.float.keep(made.float);
      states.quant.keep(made.quant);
      const parts = { float: sides.float.tapped.parts(made.float, n), quant: sides.quant.tapped.parts(made.quant, n) };
      for (const { pair, tally } of taps) {
        if (excuses.has(pair)) continue;
        const { origin, value, quantizer } = pair;
        const whole = made.float[origin!.name];
        const y = parts.quant.get(value.name);
        if (y === undefined) {
          const why = add(tally, whole!, made.quant[value.name]!, batch.size / rows, batch.size, quantizer);
          if (why !== undefined) excuses.set(pair, why);
          continue;
        }
        const x =
          parts.float.get(origin!.name) ??
          windowsOf(whole!.data.length, n).map(([from, to]) => whole!.data.subarray(from, to));
        tally.addWindows(x as readonly Float32Array[], y);
      }
      discard(made, feeds[0], states.float.outputs);
      n += batch.size;
      options.onProgress?.(n, 'from' in selection ? dataset.count : selection.length);
    }
    return n;
  } finally {
    await sides.dispose();
  }
}

/** The tensors of which windows alone come out, by name, in each model. */
interface Cuts {
  readonly float: ReadonlyMap<string, Cut>;
  readonly quant: ReadonlyMap<string, Cut>;
}

const uncut: Cuts = { float: new Map(), quant: new Map() };

interface Side extends NamedSession {
  readonly tapped: Tapped;
}

interface Sides {
  readonly float: Side;
  readonly quant: Side;
  dispose(): Promise<void>;
}

/** What the two models made; the float one's inputs are there too. */
interface Made {
  readonly float: Feeds;
  readonly quant: Feeds;
}

interface Traced {
  readonly float: ReadonlyMap<string, TracedTensor>;
  readonly quant: ReadonlyMap<string, TracedTensor>;
}

async function openSides(
  taps: readonly Tap[],
  state: readonly string[],
  { pairing, names, threads, exactInt8 }: MeasureOptions,
  cut: Cuts,
): Promise<Sides> {
  const sessions: Session[] = [];
  const dispose = async (): Promise<void> => {
    for (const session of sessions.splice(0)) await session.dispose();
  };
  const open = async (name: string, tapped: Tapped, settings: SessionOptions): Promise<Side> => {
    const session = withFloat32Ports(await openSession(tapped.model, { threads, ...settings }, name));
    sessions.push(session);
    return { name, session, tapped };
  };
  try {
    const origins = [...new Set(taps.map(({ pair }) => pair.origin!))].filter(({ isInput }) => !isInput);
    // A graph without any output does not load: where only inputs are quantized, its own stay.
    const tapping = origins.length > 0 ? origins : pairing.reference.graph.outputs;
    const float = await open(names.float, tap(pairing.reference, tapping, state, cut.float), {});
    const values = taps.map(({ pair }) => pair.value);
    const quant = await open(names.quant, tap(pairing.quant, values, state, cut.quant), { exactInt8 });
    return { float, quant, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** @param sample how many samples were before this run */
async function runSides(
  { float, quant }: Sides,
  floatInputs: Feeds,
  quantInputs = floatInputs,
  sample = 0,
): Promise<Made> {
  const one = (side: Side, inputs: Feeds): Promise<Feeds> =>
    side.session.run(feedsOf(side, { ...inputs, ...side.tapped.windows(sample) }));
  return { float: { ...floatInputs, ...(await one(float, floatInputs)) }, quant: await one(quant, quantInputs) };
}

/** What one sample makes of the tensors in question; of the inputs of the float model too. */
async function trace(
  taps: readonly Tap[],
  inputs: Feeds,
  { float, quant }: Sides,
  { pairing, threads }: MeasureOptions,
): Promise<Traced> {
  const names = { float: taps.map(({ pair }) => pair.origin!.name), quant: taps.map(({ pair }) => pair.value.name) };
  return {
    float: await traceTensors(pairing.reference, feedsOf(float, inputs), names.float, { threads }),
    quant: await traceTensors(pairing.quant, feedsOf(quant, inputs), names.quant, { threads }),
  };
}

/** Large tensors of one scale, alike in both models. */
function cutsOf(taps: readonly Tap[], made: Traced, { reference, quant }: Pairing): Cuts {
  if (!canCut(reference) || !canCut(quant)) return uncut;
  const cut = { float: new Map<string, Cut>(), quant: new Map<string, Cut>() };
  const whole = new Set<string>();
  for (const { pair } of taps) {
    const { origin, value, quantizer } = pair;
    const [x, y] = [made.float.get(origin!.name)!, made.quant.get(value.name)!];
    const elements = elementCount(x.dims);
    const types = quantizer ? ['int8', 'uint8'] : ['float32'];
    const alike = x.type === 'float32' && types.includes(y.type) && String(x.dims) === String(y.dims);
    if (alike && quantizer?.axis === undefined && elements > budget) {
      cut.quant.set(value.name, { elements, type: y.type });
      if (!origin!.isInput) cut.float.set(origin!.name, { elements, type: x.type });
    } else whole.add(origin!.name);
  }
  for (const name of whole) cut.float.delete(name);
  return cut;
}

/** Results of a run once they are summed up: all but the inputs and the state on its way to the next run. */
function discard(made: Made, inputs: Feeds, state: readonly string[]): void {
  const kept = new Set([...Object.values(inputs), ...state.flatMap((name) => [made.float[name]!, made.quant[name]!])]);
  release([...Object.values(made.float), ...Object.values(made.quant)].filter((each) => !kept.has(each)));
}

/** How many samples may run at once. */
function fits(traced: Traced['float']): number {
  const elements = [...traced.values()].reduce((sum, { dims }) => sum + elementCount(dims), 0);
  return Math.max(1, Math.floor(elementsPerRun / Math.max(1, elements)));
}

/** Returns why the two cannot be compared, if they cannot. @param share of the rows that are real; `samples`: how many these are */
function add(
  tally: ActivationTally,
  float: TensorValue,
  other: TensorValue,
  share: number,
  samples: number,
  quantizer: Quantizer | undefined,
): string | undefined {
  if (String(float.dims) !== String(other.dims)) {
    return `it is [${other.dims.join(', ')}] and its partner [${float.dims.join(', ')}]`;
  }
  if (!isComparable(float.type) || (!quantizer && !isComparable(other.type))) return `it is of type ${other.type}`;
  const x = toNumbers(float);
  const length = share === 1 ? x.length : Math.round(x.length * share);
  tally.add(x, quantizer ? other.data : toNumbers(other), float.dims, length, samples);
  return undefined;
}

function rowOf(pair: Pair, tally: ActivationTally | undefined, excuse: string | undefined): TensorRow {
  const { value, quantizer, origin } = pair;
  const node = quantizer ? quantizer.node : value.producer;
  const head = {
    name: value.name,
    origin: origin?.name ?? null,
    ...(excuse !== undefined && { unpaired: excuse }),
    node: node?.label ?? value.name,
    op: node?.opType ?? 'Input',
  };
  if (!quantizer) return { ...head, kind: 'activation', bits: 0, scheme: 'float', ...tally?.row() };
  const { kind, bits, axis, scales, zeroPoints, codes } = quantizer;
  return {
    ...head,
    kind,
    bits,
    scheme: schemeOf(quantizer),
    ...(axis !== undefined && { axis }),
    scale: spanOf(scales),
    zeroPoint: spanOf(zeroPoints),
    ...(kind === 'activation' ? tally?.row() : weightFacts(quantizer, codes.constant!, floatConstant(pair))),
  };
}

/** The constant behind the codes, where it is the same tensor: not one that was transposed since. */
function floatConstant({ value, origin }: Pair): Value['constant'] {
  const constant = origin?.constant;
  return constant && String(constant.dims) === String(value.constant!.dims) ? constant : undefined;
}

function spanOf(values: Float32Array): { min: number; max: number } {
  let [min, max] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}
