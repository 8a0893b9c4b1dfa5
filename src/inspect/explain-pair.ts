/**
 * The placement of a float model and of the one quantized from it, side by side: what became of each node, which conversions are
 * left, and the time of each operator in both, measured on one sample in sessions that write a profile.
 */
import { withFloat32Ports } from '../backends/other-forms.ts';
import { openSession, type Session } from '../backends/session.ts';
import { pairTensors } from '../compare/layers/pairing.ts';
import { openModel, type OpenedModel } from '../compare/models.ts';
import { findPlacement } from '../compare/placement.ts';
import type { Latency, NodeRow, Placement, Profile } from '../compare/report.ts';
import { placeSideBySide, type NodeFate } from '../compare/side-by-side.ts';
import { timeModels } from '../compare/latency.ts';
import type { DataFlags, RunFlags } from '../settings/options.ts';
import { judgingSamples } from '../pipeline/samples/generated.ts';
import { layersOf } from '../pipeline/compare/report.ts';
import { inputsOf, openFused, survivors } from '../pipeline/source/source.ts';
import { readStamp, type Stamp } from '../pipeline/stamp.ts';

export interface PairExplanation {
  readonly kind: 'pair';
  readonly float: string;
  readonly quant: string;
  /** What qdq wrote into the quantized model; undefined for a model quantized by another tool. */
  readonly stamp: Stamp | undefined;
  /** Whether nodes were paired by the record in the quantized model, or by structure. */
  readonly how: 'record' | 'structure';
  /** Of the quantized model, and of the float one for comparison. */
  readonly placement: Placement;
  readonly floatPlacement: Placement;
  /** Every calculating node of the fused float model, in its order. */
  readonly nodes: readonly NodeFate[];
  /** Nodes of the quantized model that stand between quantizers and were not fused. */
  readonly notFused: readonly NodeRow[];
  /** Milliseconds per run, and by operator; undefined where no sample could be found or generated. */
  readonly latencyMs?: Latency;
  readonly profile?: Profile;
  /** On what the two were timed, and why not. */
  readonly notes: readonly string[];
}

/** @throws QdqError when a file cannot be read or loaded, and the errors of the data */
export async function explainPair(float: string, quant: string, flags: DataFlags & RunFlags): Promise<PairExplanation> {
  const [floatModel, quantModel] = [openModel(float), openModel(quant)];
  const stamp = readStamp(quantModel.model);
  const { executed, ...placed } = await findPlacement(quantModel.model, quantModel.source, quant, stamp?.float ?? []);
  const { log } = await openFused(float, { threads: flags.threads }, { opset: quantModel.model.opset });
  const layers = (await layersOf(float, quantModel.model, quant, true, flags))!;
  const plain = { plain: quantModel.model, fused: quantModel.model };
  const { sha256 } = floatModel.facts([]);
  const pairing = pairTensors({ ...layers.float, plain: floatModel.model }, layers.quant ?? plain, sha256);
  const merged = new Map<string, string[]>();
  for (const [node, into] of survivors(log)) merged.set(into, [...(merged.get(into) ?? []), node]);
  const floatPlaced = await findPlacement(floatModel.model, floatModel.source, float);
  return {
    kind: 'pair',
    float,
    quant,
    stamp,
    how: pairing.how,
    placement: placed.placement,
    floatPlacement: floatPlaced.placement,
    nodes: placeSideBySide(pairing, executed, placed, merged),
    notFused: placed.nodes.filter(({ placement }) => placement === 'not-fused'),
    ...(await timed(float, floatModel, quant, quantModel, flags)),
  };
}

/** On the first sample that there is; a model for which none can be generated is not timed. */
async function timed(
  float: string,
  floatModel: OpenedModel,
  quant: string,
  quantModel: OpenedModel,
  flags: DataFlags & RunFlags,
): Promise<Pick<PairExplanation, 'latencyMs' | 'profile' | 'notes'>> {
  const sessions: Session[] = [];
  const open = async (name: string, model: OpenedModel) => {
    const session = withFloat32Ports(await openSession(model.source, { threads: flags.threads }, name));
    sessions.push(session);
    return { name, session, model };
  };
  try {
    const { evaluation } = await judgingSamples({ ...flags, samples: 1 }, float, inputsOf(floatModel.model));
    const { dataset, selection } = evaluation;
    const times = await timeModels({
      ...{ float: await open(float, floatModel), quant: await open(quant, quantModel) },
      ...{ dataset, selection, threads: flags.threads, latency: true, profile: true },
    });
    const source = dataset.synthetic ? 'generated numbers' : `one sample of ${dataset.source}`;
    return { ...times, notes: [`timed on ${source}, ${flags.threads} thread${flags.threads === 1 ? '' : 's'}`] };
  } catch (error) {
    // What the user gave must fit; what is generated may not.
    if (flags.data !== undefined || flags.reader !== undefined || !(error instanceof Error)) throw error;
    return { notes: [`not timed: ${error.message}; give a sample with --data`] };
  } finally {
    for (const session of sessions) await session.dispose();
  }
}
