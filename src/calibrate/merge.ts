/**
 * Shards → one state, as if nothing had been sharded: the same bytes, whatever the order of the shards. What does not
 * belong together is refused by name, because ranges merged of two models or preprocessings look like any others.
 */
import { mergeSkipped } from '../data/skip-bad.ts';
import { mergeErrors } from '../errors/merge.ts';
import { observerOf } from './observers/index.ts';
import type { CalibrationState, ShardPart } from './state.ts';

/** A state and where it is from. */
export interface NamedState {
  /** How errors call it. */
  readonly path: string;
  readonly state: CalibrationState;
}

/**
 * Merges shards.
 * @param states shards of one calibration, or what a partial merge made of them; at least one
 * @param partial a result from which shards are missing is wanted all the same
 * @throws MERGE_*
 */
export function mergeStates(states: readonly NamedState[], { partial = false } = {}): CalibrationState {
  const sources = new Map<number, string>();
  const parts: ShardPart[] = [];
  for (const { path, state } of states) {
    if (!state.shards) throw mergeErrors.notAShard(path);
    checkTogether(states[0]!, { path, state });
    for (const part of state.shards.parts) {
      const first = sources.get(part.index);
      if (first !== undefined) throw mergeErrors.duplicate({ first, second: path }, part.index, state.shards.count);
      sources.set(part.index, path);
      parts.push(part);
    }
  }
  const { count } = states[0]!.state.shards!;
  const missing = missingShards(count, parts);
  if (missing.length > 0 && !partial) throw mergeErrors.missing(missing, count);

  // What may differ (the path of the data) is that of the lowest shard, so that the order given does not matter.
  const lowest = ({ state }: NamedState): number => state.shards!.parts[0]!.index;
  const ordered = [...states].sort((a, b) => lowest(a) - lowest(b)).map(({ state }) => state);
  const { shards: _, skipped: __, ...first } = ordered[0]!;
  const skipped = ordered.map((state) => state.skipped).reduce(mergeSkipped);
  const { merge } = observerOf(first.observer);
  return {
    ...first,
    samples: ordered.reduce((sum, { samples }) => sum + samples, 0),
    notes: [...new Set(ordered.flatMap(({ notes }) => notes))],
    ...(skipped && { skipped }),
    arrays: ordered.map(({ arrays }) => arrays).reduce((a, b) => merge(a, b)),
    ...(missing.length === 0 ? {} : { shards: { count, parts: parts.sort((a, b) => a.index - b.index) } }),
  };
}

/** Numbers of the shards that are not among the parts, ascending. */
export function missingShards(count: number, parts: readonly ShardPart[]): number[] {
  const held = new Set(parts.map(({ index }) => index));
  return Array.from({ length: count }, (_, i) => i + 1).filter((index) => !held.has(index));
}

function checkTogether({ path: first, state: a }: NamedState, { path: second, state: b }: NamedState): void {
  const pair = { first, second };
  if (a.modelSha256 !== b.modelSha256) throw mergeErrors.model(pair);
  if (a.observer !== b.observer) throw mergeErrors.observer(pair, a.observer, b.observer);
  const [optionsA, optionsB] = [sortedJson(a.observerOptions), sortedJson(b.observerOptions)];
  if (optionsA !== optionsB) throw mergeErrors.options(pair, optionsA, optionsB);
  if (a.preprocess !== b.preprocess) throw mergeErrors.preprocess(pair, a.preprocess, b.preprocess);
  if (a.format !== b.format) throw mergeErrors.data(pair, a.format, b.format);
  if (JSON.stringify(a.tensors) !== JSON.stringify(b.tensors)) {
    const lone =
      a.tensors.find((tensor) => !b.tensors.includes(tensor)) ??
      b.tensors.find((tensor) => !a.tensors.includes(tensor));
    throw mergeErrors.tensors(pair, lone);
  }
  if (a.shards!.count !== b.shards!.count) throw mergeErrors.shardCount(pair, a.shards!.count, b.shards!.count);
  if (arrayNames(a) !== arrayNames(b)) throw mergeErrors.arrays(pair);
  if (a.idsHash !== b.idsHash) throw mergeErrors.selection(pair);
}

/** Which arrays there are: another release may sample otherwise. */
function arrayNames({ arrays }: CalibrationState): string {
  return Object.keys(arrays).sort().join();
}

function sortedJson(options: CalibrationState['observerOptions']): string {
  return JSON.stringify(Object.fromEntries(Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))));
}
