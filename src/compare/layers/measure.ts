/**
 * Layer by layer: both models run side by side with every quantized tensor as an output, the float one in its fused form, the
 * quantized one on the kernels that will really run it. From the quantized model leave codes, a quarter of the bytes of floats, and
 * of large tensors only what will be looked at (windows.ts). Everything is folded into sums at once: memory does not grow with samples.
 */
import { Counter } from '../../calibrate/kernels/counter.ts';
import { batches, feedsOf as feedsOfSamples } from '../../data/batch.ts';
import { carrier } from '../../data/fixed-inputs.ts';
import { repeatedAxis, oneAtATime, rowsOf, type Runs } from '../../data/runs.ts';
import type { Dataset, Sample, Selection } from '../../data/sample.ts';
import type { Value } from '../../graph/value.ts';
import { elementCount, type TensorValue } from '../../onnx/data-types.ts';
import { firstSample, runsOfBoth } from '../models.ts';
import { isComparable, toNumbers } from '../metrics/metric.ts';
import type { LayerFacts, TensorRow } from '../report-details.ts';
import type { Pair } from './pairing.ts';
import { schemeOf, type Quantizer } from './quantizers.ts';
import {
  cutsOf,
  discard,
  openSides,
  runSides,
  trace,
  uncut,
  type Made,
  type SideOptions,
  type Sides,
  type Traced,
} from './sides.ts';
import { ActivationTally } from './tally.ts';
import { weightFacts } from './weights.ts';
import { windowsOf } from './windows.ts';

export interface MeasureOptions extends SideOptions {
  readonly dataset: Dataset;
  readonly selection: Selection;
  readonly batchSize?: number | undefined;
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
  const pairs = taps.map(({ pair }) => pair);
  const states = { float: carrier(carry), quant: carrier(carry) };
  let sides = await openSides(pairs, states.float.outputs, options, uncut);
  try {
    const first = await firstSample(dataset, selection);
    const asked = carry.length > 0 ? 1 : options.batchSize;
    const planned = runsOfBoth(sides.float, sides.quant, first, dataset, asked);
    const { fixed } = planned;
    const traced = carry.length > 0 || fixed ? undefined : await trace(pairs, first.inputs, sides, options);
    const lone = fixed && !(await liesInRows(taps, excuses, first, planned, sides));
    const room = !traced ? planned.samples : Math.min(planned.samples, fits(traced.float));
    const runs = lone ? oneAtATime(planned) : { ...planned, samples: room };
    // Samples that share a run would share their windows, and the result would depend on how many do.
    let cut = traced && runs.samples === 1 ? cutsOf(pairs, traced, options.pairing) : uncut;
    const reopen = async (): Promise<void> => {
      await sides.dispose();
      sides = await openSides(pairs, states.float.outputs, options, cut);
    };
    if (cut.quant.size > 0) await reopen();
    let n = 0;
    for await (const batch of batches(dataset, selection, runs)) {
      const share = lone ? 1 : batch.size / rowsOf(runs, batch.size);
      const feeds = [states.float.feeds(batch), states.quant.feeds(batch), n] as const;
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
          const why = add(tally, whole!, made.quant[value.name]!, share, batch.size, quantizer);
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

/**
 * Whether every tensor of a fixed batch holds its samples one after the other, so that those which fill it up can be cut off: seen in a
 * run of one sample. If not, samples run one by one, and all of a run is that sample's.
 */
async function liesInRows(
  taps: readonly Tap[],
  excuses: ReadonlyMap<Pair, string>,
  sample: Sample,
  runs: Runs,
  sides: Sides,
): Promise<boolean> {
  const feeds = feedsOfSamples([sample], oneAtATime(runs));
  const made = await runSides(sides, feeds);
  const rows = rowsOf(runs, 1);
  const found = taps.every(({ pair }) => {
    if (excuses.has(pair)) return true;
    const value = made.float[pair.origin!.name]!;
    return !isComparable(value.type) || repeatedAxis({ dims: value.dims, data: toNumbers(value) }, rows) === 0;
  });
  discard(made, feeds, []);
  return found;
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
