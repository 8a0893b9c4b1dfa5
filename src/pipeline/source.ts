/**
 * A model on its way into the pipeline: read, turned into IR, upgraded, fused. Every stage that needs the fused graph
 * starts here.
 */
import { createExecutor } from '../backends/session.ts';
import { modelFromProto } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import type { FusionLog } from '../intrinsic/pass.ts';
import { loadModel, type ModelFile } from '../onnx/model-file.ts';
import type { RunFlags } from '../pipeline-types.ts';
import { upgradeAndFuse, type OpsetSettings, type Upgrade } from './upgrade.ts';

export interface FusedSource {
  readonly file: ModelFile;
  /** The fused graph. */
  readonly model: Model;
  readonly log: FusionLog;
  readonly upgrade: Upgrade;
  readonly nodesBefore: number;
  readonly opsBefore: Readonly<Record<string, number>>;
}

export interface FuseSettings extends OpsetSettings {
  /** Names of passes that must not run. */
  readonly skip?: readonly string[];
}

export async function openFused(path: string, flags: RunFlags, settings: FuseSettings = {}): Promise<FusedSource> {
  flags.onProgress?.({ stage: 'fusing', done: 0, total: 1, unit: 'models' });
  const file = loadModel(path);
  const open = (): Model => modelFromProto(file.proto, file.dir);
  const opsBefore = countOps(open());
  const nodesBefore = Object.values(opsBefore).reduce((sum, count) => sum + count, 0);
  const { model, log, upgrade } = await upgradeAndFuse(open, createExecutor(), settings, settings.skip);
  flags.onProgress?.({ stage: 'fusing', done: 1, total: 1, unit: 'models' });
  return { file, model, log, upgrade, nodesBefore, opsBefore };
}

/** What a user should know of the upgrade, if there was one. */
export function upgradeNotes({ from, to, adapted, blocked }: Upgrade): string[] {
  const notes = blocked.map((why) => `operators that a later opset has stay in parts: ${why}`);
  if (from === to) return notes;
  const nodes = `${adapted.length} node${adapted.length === 1 ? '' : 's'}`;
  return [`upgraded from opset ${from} to ${to}: ${nodes} adapted`, ...notes];
}

/** Number of nodes by operator type, bodies of control flow included, sorted by name. */
export function countOps(model: Model): Record<string, number> {
  const counts = new Map<string, number>();
  for (const node of model.allNodes()) counts.set(node.opType, (counts.get(node.opType) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export { inputsOf } from '../data/model-inputs.ts';

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
