/**
 * Upgraded and fused. Some fused forms are operators of a later operator set than the model's: it is upgraded to the least
 * one that all of them need, if every node can be carried there, and else as far as some of them can be.
 */
import { QdqError } from '../../errors/qdq-error.ts';
import { opsetErrors } from '../../errors/graph.ts';
import type { Executor, Model } from '../../graph/model.ts';
import type { FusionLog, Refused } from '../../intrinsic/pass.ts';
import { fuse, type FuseSettings } from '../../intrinsic/run.ts';
import { upgradeOpset, type UpgradeLog } from '../../opset/upgrade.ts';

export interface OpsetSettings {
  /** The least default operator set wanted; an older model is upgraded to it first. */
  readonly opset?: number | undefined;
  /** The newest to which it is upgraded for the sake of a fused form. Absent: not for that. */
  readonly newest?: number | undefined;
}

/** Which fusions are made. */
export type FusionChoice = Pick<FuseSettings, 'skip' | 'keepTied'>;

/** What was upgraded, and why no further where fused forms need more: one sentence for each operator set. */
export interface Upgrade extends UpgradeLog {
  readonly blocked: readonly string[];
}

export interface Fused {
  readonly model: Model;
  readonly log: FusionLog;
  readonly upgrade: Upgrade;
}

/** What a command that was asked for an operator set upgrades to, and what it upgrades to by itself. */
export function opsetsFor(asked: number | undefined, least: number, newest: number): OpsetSettings {
  if (asked === undefined) return { opset: least, newest };
  if (asked < least) throw opsetErrors.tooLow(asked, least);
  return { opset: asked, newest: asked };
}

/** Upgrades change what fusions see: each attempt begins with the model as the file has it, so that only the result counts. */
export async function upgradeAndFuse(
  open: () => Model,
  executor: Executor,
  { opset, newest = 0, skip = [], keepTied = false }: OpsetSettings & FusionChoice,
): Promise<Fused> {
  const fused = async (target: number, model: Model): Promise<Fused> => {
    const upgrade = upgradeOpset(model, target);
    return { model, upgrade: { ...upgrade, blocked: [] }, log: await fuse(model, { executor, skip, keepTied }) };
  };
  const first = open();
  let best = await fused(opset ?? first.opset, first);
  /** What stood in the way of each operator set. */
  const obstacles = new Map<number, string>();
  for (let next = wanted(best, newest, obstacles); next !== undefined; next = wanted(best, newest, obstacles)) {
    try {
      best = await fused(next, open());
    } catch (error) {
      if (!(error instanceof QdqError) || error.kind !== 'data') throw error;
      obstacles.set(next, error.message);
    }
  }
  const refused = best.log.refused.map((each) => explained(each, newest, obstacles));
  const blocked = [...new Set(obstacles.values())];
  return { ...best, upgrade: { ...best.upgrade, blocked }, log: { ...best.log, refused } };
}

/** The least operator set at which all is fused that can be, as far as is known. */
function wanted({ log }: Fused, newest: number, obstacles: ReadonlyMap<number, string>): number | undefined {
  const opsets = log.refused.flatMap(({ needsOpset }) => needsOpset ?? []);
  const open = opsets.filter((each) => each <= newest && !obstacles.has(each));
  return open.length === 0 ? undefined : Math.max(...open);
}

function explained(refused: Refused, newest: number, obstacles: ReadonlyMap<number, string>): Refused {
  const { needsOpset: needed, reason } = refused;
  if (needed === undefined || newest === 0) return refused;
  const why = needed > newest ? `the newest wanted is ${newest}` : obstacles.get(needed);
  return why === undefined ? refused : { ...refused, reason: `${reason}: ${why}` };
}
