/**
 * Layer by layer: both models run side by side with every quantized tensor as an output, the float one in its fused form, the
 * quantized one on the kernels that will really run it. From the quantized model leave codes, a quarter of the bytes of floats.
 * Everything is folded into sums at once: memory does not grow with samples.
 */
import { withFloat32Ports } from '../../backends/float32-ports.ts';
import type { SessionOptions } from '../../backends/options.ts';
import { openSession, type Session } from '../../backends/session.ts';
import { copyModel, setOutputs } from '../../calibrate/probe.ts';
import { batches } from '../../data/batch.ts';
import { carrier } from '../../data/carry.ts';
import type { Dataset, Selection } from '../../data/sample.ts';
import type { Model } from '../../graph/model.ts';
import type { Value } from '../../graph/value.ts';
import type { TensorValue } from '../../onnx/data-types.ts';
import { feedsOf, filled, firstSample, samplesPerRun, type Feeds, type NamedSession } from '../feeds.ts';
import { isComparable, toNumbers } from '../numbers.ts';
import type { LayerFacts, TensorRow } from '../report-layers.ts';
import type { Pair, Pairing } from './pairing.ts';
import { schemeOf, type Quantizer } from './quantizers.ts';
import { ActivationTally } from './tally.ts';
import { weightFacts } from './weights.ts';

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
  const excuses = new Map<Pair, string>();
  for (const pair of pairing.pairs) {
    if (pair.unpaired !== undefined) excuses.set(pair, pair.unpaired);
    else if (pair.quantizer?.kind === 'weight') continue;
    else if (pair.value.graph !== pairing.quant.graph || pair.origin!.graph !== pairing.reference.graph)
      excuses.set(pair, inBody);
    else taps.push({ pair, tally: new ActivationTally(pair.quantizer) });
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
  const { pairing, names, dataset, selection, threads, exactInt8 } = options;
  const carry = dataset.carry ?? [];
  const states = { float: carrier(carry), quant: carrier(carry) };
  const sessions: Session[] = [];
  const open = async (
    model: Model,
    values: readonly Value[],
    name: string,
    settings: SessionOptions,
  ): Promise<NamedSession> => {
    const opened = await openSession(tapped(model, values, states.float.outputs), { threads, ...settings }, name);
    const session = withFloat32Ports(opened);
    sessions.push(session);
    return { name, session };
  };
  try {
    const origins = [...new Set(taps.map(({ pair }) => pair.origin!))].filter(({ isInput }) => !isInput);
    // A graph without any output does not load: where only inputs are quantized, its own stay.
    const tapping = origins.length > 0 ? origins : pairing.reference.graph.outputs;
    const float = await open(pairing.reference, tapping, names.float, {});
    const values = taps.map(({ pair }) => pair.value);
    const other = await open(pairing.quant, values, names.quant, { exactInt8 });
    const first = await firstSample(dataset, selection);
    const asked = carry.length > 0 ? 1 : options.batchSize;
    const { size, fixed } = samplesPerRun(float, other, first, asked);
    const room = fixed || carry.length > 0 ? size : Math.min(size, await fits(float, first.inputs));
    let n = 0;
    for await (const batch of batches(dataset, selection, room)) {
      const rows = fixed ? size : batch.size;
      const inputs = (state: typeof states.float): Feeds => filled({ ...batch, inputs: state.feeds(batch) }, rows);
      const floatInputs = inputs(states.float);
      const made = { ...floatInputs, ...(await float.session.run(feedsOf(float, floatInputs))) };
      const codes = await other.session.run(feedsOf(other, inputs(states.quant)));
      states.float.keep(made);
      states.quant.keep(codes);
      for (const { pair, tally } of taps) {
        const why = excuses.has(pair)
          ? undefined
          : add(
              tally,
              made[pair.origin!.name]!,
              codes[pair.value.name]!,
              batch.size / rows,
              batch.size,
              pair.quantizer,
            );
        if (why !== undefined) excuses.set(pair, why);
      }
      n += batch.size;
      options.onProgress?.(n, 'from' in selection ? dataset.count : selection.length);
    }
    return n;
  } finally {
    for (const session of sessions) await session.dispose();
  }
}

/** A copy that returns these values and the model's state. */
function tapped(model: Model, values: readonly Value[], state: readonly string[]): Model {
  const copy = copyModel(model);
  const { graph } = copy;
  const kept = graph.outputs.filter(({ name }) => state.includes(name));
  setOutputs(graph, [...new Set([...values.map(({ name }) => graph.values.get(name)!), ...kept])]);
  return copy;
}

/** How many samples may run at once. */
async function fits(float: NamedSession, inputs: Feeds): Promise<number> {
  const results = await float.session.run(feedsOf(float, inputs));
  const elements = Object.values(results).reduce((sum, { data }) => sum + data.length, 0);
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
