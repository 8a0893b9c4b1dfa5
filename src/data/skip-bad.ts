/**
 * `--skip-bad`: samples that cannot be read or do not fit the model are left out and counted instead of ending the run. What was
 * left out travels with states and reports.
 */
import type { Dataset, Skipped } from './sample.ts';
import { membership } from './selection.ts';

/** The dataset without its bad samples. They are known by position: one is counted once, however often the data is read. */
export function skippingBad(dataset: Dataset): Dataset {
  const bad = new Map<number, string>();
  return {
    ...dataset,
    samples: (selection) => dataset.samples(selection, (position, error) => bad.set(position, error.message)),
    skipped(selection) {
      const chosen = membership(selection);
      const found = [...bad].filter(([position]) => chosen.has(position)).map(([position, why]) => ({ position, why }));
      return found.sort((a, b) => a.position - b.position);
    },
  };
}

/** What was left out, as it is kept: every position, and what was wrong with the first few. Both ascending. */
export interface SkippedRecord {
  readonly positions: readonly number[];
  readonly first: readonly Skipped[];
}

/** Reasons that are kept and reported. */
const mostReasons = 3;

/** Records what was left out; undefined when nothing was. */
export function recordSkipped(skipped: readonly Skipped[]): SkippedRecord | undefined {
  if (skipped.length === 0) return undefined;
  const sorted = [...skipped].sort((a, b) => a.position - b.position);
  return { positions: sorted.map(({ position }) => position), first: sorted.slice(0, mostReasons) };
}

/** The records of two parts of a selection as one; parts may have met the same bad samples, of which each counts once. */
export function mergeSkipped(a: SkippedRecord | undefined, b: SkippedRecord | undefined): SkippedRecord | undefined {
  if (!a || !b) return a ?? b;
  const positions = [...new Set([...a.positions, ...b.positions])].sort((x, y) => x - y);
  const first = new Map([...a.first, ...b.first].map((each) => [each.position, each]));
  return { positions, first: positions.flatMap((position) => first.get(position) ?? []).slice(0, mostReasons) };
}

/** What a report says of a record. */
export function summarizeSkipped(record: SkippedRecord | undefined): { n: number; first: string[] } | undefined {
  return record && { n: record.positions.length, first: record.first.map(({ why }) => why) };
}

/** The record as a warning, if anything was left out. */
export function skippedWarnings(record: SkippedRecord | undefined): string[] {
  const summary = summarizeSkipped(record);
  if (!summary) return [];
  const { n, first } = summary;
  const more = n > first.length ? `; and ${n - first.length} more` : '';
  return [`${n} bad sample${n === 1 ? ' was' : 's were'} left out: ${first.join('; ')}${more}`];
}
