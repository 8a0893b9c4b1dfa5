/**
 * The two models side by side: each in a session whose outputs are the tensors to compare, whole or, where they are large and alike in
 * both, as the windows that will be looked at.
 */
import { withFloat32Ports } from '../../backends/other-forms.ts';
import type { SessionOptions } from '../../backends/session-options.ts';
import { release } from '../../backends/output-memory.ts';
import { openSession, type Session } from '../../backends/session.ts';
import { traceTensors, type TracedTensor } from '../../calibrate/shapes.ts';
import { elementCount } from '../../onnx/data-types.ts';
import { feedsOf, type Feeds, type NamedSession } from '../models.ts';
import type { Pair, Pairing } from './pairing.ts';
import { budget, canCut, tap, type Cut, type Tapped } from './windows.ts';

/** How the sessions are opened. */
export interface SideOptions {
  readonly pairing: Pairing;
  /** How messages call the two models. */
  readonly names: { readonly float: string; readonly quant: string };
  readonly threads: number;
  readonly exactInt8: boolean;
  /** See SessionOptions. */
  readonly onFallback?: (told: string) => void;
}

/** The tensors of which windows alone come out, by name, in each model. */
export interface Cuts {
  readonly float: ReadonlyMap<string, Cut>;
  readonly quant: ReadonlyMap<string, Cut>;
}

export const uncut: Cuts = { float: new Map(), quant: new Map() };

export interface Side extends NamedSession {
  readonly tapped: Tapped;
}

export interface Sides {
  readonly float: Side;
  readonly quant: Side;
  dispose(): Promise<void>;
}

/** What the two models made; the float one's inputs are there too. */
export interface Made {
  readonly float: Feeds;
  readonly quant: Feeds;
}

export interface Traced {
  readonly float: ReadonlyMap<string, TracedTensor>;
  readonly quant: ReadonlyMap<string, TracedTensor>;
}

export async function openSides(
  pairs: readonly Pair[],
  state: readonly string[],
  { pairing, names, threads, exactInt8, onFallback }: SideOptions,
  cut: Cuts,
): Promise<Sides> {
  const sessions: Session[] = [];
  const dispose = async (): Promise<void> => {
    for (const session of sessions.splice(0)) await session.dispose();
  };
  const open = async (name: string, tapped: Tapped, settings: SessionOptions): Promise<Side> => {
    const session = withFloat32Ports(
      await openSession(tapped.model, { threads, ...(onFallback && { onFallback }), ...settings }, name),
    );
    sessions.push(session);
    return { name, session, tapped };
  };
  try {
    const origins = [...new Set(pairs.map(({ origin }) => origin!))].filter(({ isInput }) => !isInput);
    // A graph without any output does not load: where only inputs are quantized, its own stay.
    const tapping = origins.length > 0 ? origins : pairing.reference.graph.outputs;
    const float = await open(names.float, tap(pairing.reference, tapping, state, cut.float), {});
    const values = pairs.map(({ value }) => value);
    const quant = await open(names.quant, tap(pairing.quant, values, state, cut.quant), { exactInt8 });
    return { float, quant, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** @param sample how many samples were before this run */
export async function runSides(
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
export async function trace(
  pairs: readonly Pair[],
  inputs: Feeds,
  { float, quant }: Sides,
  { pairing, threads }: SideOptions,
): Promise<Traced> {
  const names = { float: pairs.map(({ origin }) => origin!.name), quant: pairs.map(({ value }) => value.name) };
  return {
    float: await traceTensors(pairing.reference, feedsOf(float, inputs), names.float, { threads }),
    quant: await traceTensors(pairing.quant, feedsOf(quant, inputs), names.quant, { threads }),
  };
}

/** Large tensors of one scale, alike in both models. */
export function cutsOf(pairs: readonly Pair[], made: Traced, { reference, quant }: Pairing): Cuts {
  if (!canCut(reference) || !canCut(quant)) return uncut;
  const cut = { float: new Map<string, Cut>(), quant: new Map<string, Cut>() };
  const whole = new Set<string>();
  for (const { origin, value, quantizer } of pairs) {
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
export function discard(made: Made, inputs: Feeds, state: readonly string[]): void {
  const kept = new Set([...Object.values(inputs), ...state.flatMap((name) => [made.float[name]!, made.quant[name]!])]);
  release([...Object.values(made.float), ...Object.values(made.quant)].filter((each) => !kept.has(each)));
}
