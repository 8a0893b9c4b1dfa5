/**
 * A model on its way into the pipeline: read, turned into IR, upgraded, fused. Every stage that needs the fused graph
 * starts here.
 */
import { createExecutor } from '../../backends/session.ts';
import { modelFromProto } from '../../graph/from-proto.ts';
import type { Model } from '../../graph/model.ts';
import { widen, type Widened } from '../../intrinsic/widen/widen.ts';
import { densified } from '../../onnx/densified.ts';
import type { FusionLog } from '../../intrinsic/pass.ts';
import { loadModel, type ModelFile } from '../../onnx/model-file.ts';
import type { RunFlags } from '../../settings/options.ts';
import { closeBatch } from './close-batch.ts';
import { upgradeAndFuse, type FusionChoice, type OpsetSettings, type Upgrade } from './upgrade.ts';

export interface FusedSource {
  readonly file: ModelFile;
  /** The fused graph. */
  readonly model: Model;
  readonly log: FusionLog;
  readonly upgrade: Upgrade;
  /** What became float32; undefined for a model that was float32, or was to keep its types. */
  readonly widened: Widened | undefined;
  /** What is to be told of a batch that a Reshape fixes. */
  readonly batch: string | undefined;
  readonly nodesBefore: number;
  readonly opsBefore: Readonly<Record<string, number>>;
}

export interface FuseSettings extends OpsetSettings, FusionChoice {
  /** Nothing is run. */
  readonly asDeclared?: boolean;
  /** Float types stay as the file has them. */
  readonly keepTypes?: boolean;
}

export async function openFused(path: string, flags: RunFlags, settings: FuseSettings = {}): Promise<FusedSource> {
  flags.onProgress?.({ stage: 'fusing', done: 0, total: 1, unit: 'models' });
  const file = loadModel(path);
  const dense = densified(file.proto, file.dir);
  let opsBefore: Record<string, number> | undefined;
  let widened: Widened | undefined;
  const open = (): Model => {
    const read = modelFromProto(dense, file.dir);
    opsBefore ??= countOps(read);
    widened = settings.keepTypes ? undefined : widen(read);
    return read;
  };
  const { model, log, upgrade } = await upgradeAndFuse(open, createExecutor(), settings);
  const batch = settings.asDeclared ? undefined : await closeBatch(model, path);
  flags.onProgress?.({ stage: 'fusing', done: 1, total: 1, unit: 'models' });
  const nodesBefore = Object.values(opsBefore!).reduce((sum, count) => sum + count, 0);
  return { file, model, log, upgrade, widened, batch, nodesBefore, opsBefore: opsBefore! };
}

/** What a user should know of how the model was read. @param keepsHalf what is left float goes back to float16 */
export function sourceNotes(
  { upgrade: { from, to, adapted, blocked }, widened, batch }: SourceChanges,
  keepsHalf = false,
): string[] {
  const nodes = `${adapted.length} node${adapted.length === 1 ? '' : 's'}`;
  return [
    ...(from === to ? [] : [`upgraded from opset ${from} to ${to}: ${nodes} adapted`]),
    ...blocked.map((why) => `operators that a later opset has stay in parts: ${why}`),
    ...(widened ? widenNotes(widened, keepsHalf) : []),
    ...(batch === undefined ? [] : [batch]),
  ];
}

export type SourceChanges = Pick<FusedSource, 'upgrade' | 'widened'> & Partial<Pick<FusedSource, 'batch'>>;

function widenNotes({ types, ports }: Widened, keepsHalf: boolean): string[] {
  const names = ports.map((name) => `'${name}'`).join(', ');
  const kept = names === '' ? 'its inputs and outputs keep their types' : `${names} became float32 too`;
  return [
    keepsHalf
      ? 'the model is float16 and stays so where it is not quantized: the kernels of this format take it'
      : `the model is ${types.join(' and ')}: it is worked on in float32, which the kernels read; ${kept}`,
  ];
}

/** Number of nodes by operator type, bodies of control flow included, sorted by name. */
export function countOps(model: Model): Record<string, number> {
  const counts = new Map<string, number>();
  for (const node of model.allNodes()) counts.set(node.opType, (counts.get(node.opType) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export { inputsOf } from '../../data/model-inputs.ts';

/** Node labels that fusion merged into others: original → surviving. */
export function survivors(log: Pick<FusionLog, 'applied'>): Map<string, string> {
  const merged = new Map<string, string>();
  for (const { nodes, into } of log.applied) {
    if (into === undefined) continue;
    for (const node of nodes) if (node !== into) merged.set(node, into);
  }
  for (const [from, into] of merged) {
    let last = into;
    for (let next = merged.get(last); next !== undefined && next !== from; next = merged.get(last)) last = next;
    merged.set(from, last);
  }
  return merged;
}
