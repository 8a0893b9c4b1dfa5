/**
 * Runs the fusions to a fixed point. Every round runs every pass, so in the last round, which changes nothing, each
 * pass has judged the final graph: its refusals are exactly the ones that still hold.
 */
import { intrinsicErrors } from '../errors/intrinsic.ts';
import type { Executor } from '../graph/executor.ts';
import type { Model } from '../graph/model.ts';
import { sortNodes } from '../graph/walk.ts';
import type { Applied, FusionLog, Pass, PassContext, Refused } from './pass.ts';
import { passes } from './passes.ts';

export interface FuseSettings {
  /** Runs the constant parts of the graph. */
  readonly executor: Executor;
  /** Names of passes to leave out. */
  readonly skip?: readonly string[];
  /** See PassContext. */
  readonly keepTied?: boolean;
  /** Called after each run of a pass; tests check the graph there. */
  readonly afterPass?: (pass: Pass, model: Model) => void;
}

/**
 * Far more than any model needs: a pass follows a chain to its end in one round, so rounds only serve pass after pass.
 */
const maximumRounds = 50;

/**
 * Fuses the main graph and every body graph in place. The model computes what it computed before, with as many nodes or
 * fewer; names, types and shapes of its inputs and outputs stay.
 * @throws FUSE_UNKNOWN_PASS when `skip` names no pass
 */
export async function fuse(model: Model, settings: FuseSettings): Promise<FusionLog> {
  const skipped = new Set(settings.skip);
  const known = passes.map((pass) => pass.name);
  for (const name of skipped) if (!known.includes(name)) throw intrinsicErrors.unknownPass(name, known);
  const selected = passes.filter((pass) => !skipped.has(pass.name));
  const log: FusionLog = { applied: [], refused: [] };
  sortNodes(model.graph);
  for (let round = 0, changed = true; changed && round < maximumRounds; round++) {
    changed = false;
    const refusals = new Map<string, Refused>();
    for (const pass of selected) {
      if (await pass.run(model, contextOf(pass, settings, log.applied, refusals))) changed = true;
      settings.afterPass?.(pass, model);
    }
    log.refused.splice(0, Infinity, ...refusals.values());
  }
  // Until IR 4 an initializer had to be a graph input as well.
  if (log.applied.length > 0) model.irVersion = Math.max(model.irVersion, 4);
  return log;
}

function contextOf(
  pass: Pass,
  { executor, keepTied = false }: FuseSettings,
  applied: Applied[],
  refusals: Map<string, Refused>,
): PassContext {
  return {
    executor,
    keepTied,
    applied: (nodes, into) => void applied.push({ pass: pass.name, nodes: [...nodes], into }),
    refused(node, reason, needsOpset) {
      const needs = needsOpset === undefined ? {} : { needsOpset };
      refusals.set(`${pass.name}\n${node}\n${reason}`, { pass: pass.name, node, reason, ...needs });
    },
  };
}
