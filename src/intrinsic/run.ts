/**
 * Runs the fusions to a fixed point. Every round runs every pass, so in the last round, which changes nothing, each
 * pass has judged the final graph: its refusals are exactly the ones that still hold.
 * A fusion computes in float64 and rounds once. What is not fused for a reason a user may ask about is returned as data, not thrown.
 */
import { intrinsicErrors } from '../errors/graph.ts';
import type { Executor, Model } from '../graph/model.ts';
import { tiedEmbeddings, tiedTable } from '../ops/embedding.ts';
import { sortNodes } from '../graph/walk.ts';
import { constantFolding } from './constant-folding.ts';
import type { Applied, FusionLog, Pass, PassContext, Refused } from './pass.ts';
import { passes } from './passes.ts';
import { restoreCopy, tiedTables } from './tied-tables.ts';

export interface FuseSettings {
  /** Runs the constant parts of the graph. */
  readonly executor: Executor;
  /** Names of passes to leave out. */
  readonly skip?: readonly string[];
  /** A table that is also read transposed stays one constant in the end, too: what reads it can do without a transposed copy. */
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
  const { keepTied = false } = settings;
  // Embeddings stay tied as long as anything is fused: what is folded into a copy would make it another matrix.
  const tied = keepTied ? tiedTable : tiedEmbeddings;
  sortNodes(model.graph);
  for (let round = 0, changed = true; changed && round < maximumRounds; round++) {
    changed = false;
    const refusals = new Map<string, Refused>();
    for (const pass of selected) {
      if (await pass.run(model, contextOf(pass, settings, log.applied, refusals, tied))) changed = true;
      settings.afterPass?.(pass, model);
    }
    log.refused.splice(0, Infinity, ...refusals.values());
  }
  if (!keepTied && selected.includes(constantFolding) && [...model.allNodes()].some(tied))
    await untie(model, settings, log);
  // Until IR 4 an initializer had to be a graph input as well.
  if (log.applied.length > 0) model.irVersion = Math.max(model.irVersion, 4);
  return log;
}

/** Each head has a constant of its own in the end: one that it had before is not worth a word. */
async function untie(model: Model, settings: FuseSettings, log: FusionLog): Promise<void> {
  const labels = [...model.allNodes()].flatMap((node) => {
    const { label } = node;
    return restoreCopy(node) ? [label] : [];
  });
  const told = log.applied.filter(({ pass, into }) => pass !== tiedTables.name || !labels.includes(into!));
  const refusals = new Map<string, Refused>();
  await constantFolding.run(
    model,
    contextOf(constantFolding, settings, told, refusals, () => undefined),
  );
  settings.afterPass?.(constantFolding, model);
  const others = log.refused.filter(({ pass }) => pass !== constantFolding.name);
  log.applied.splice(0, Infinity, ...told);
  log.refused.splice(0, Infinity, ...others, ...refusals.values());
}

function contextOf(
  pass: Pass,
  { executor }: FuseSettings,
  applied: Applied[],
  refusals: Map<string, Refused>,
  tied: PassContext['tied'],
): PassContext {
  return {
    executor,
    tied,
    applied: (nodes, into) => void applied.push({ pass: pass.name, nodes: [...nodes], into }),
    refused(node, reason, needsOpset) {
      const needs = needsOpset === undefined ? {} : { needsOpset };
      refusals.set(`${pass.name}\n${node}\n${reason}`, { pass: pass.name, node, reason, ...needs });
    },
  };
}
