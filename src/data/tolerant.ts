/** `--skip-bad`: samples that cannot be read or do not fit the model are left out and counted instead of ending the run. */
import type { Dataset, Selection, Skipped } from './sample.ts';

/** The dataset without its bad samples. They are known by position: one is counted once, however often the data is read. */
export function tolerant(dataset: Dataset): Dataset {
  const bad = new Map<number, string>();
  return {
    ...dataset,
    samples: (selection) => dataset.samples(selection, (position, error) => bad.set(position, error.message)),
    skipped(selection) {
      const isChosen = membership(selection);
      const found = [...bad].filter(([position]) => isChosen(position)).map(([position, why]) => ({ position, why }));
      return found.sort((a, b) => a.position - b.position);
    },
  };
}

/** As much of it as a warning or a report tells. */
export function summarizeSkipped(skipped: readonly Skipped[]): { n: number; first: string[] } | undefined {
  return skipped.length === 0 ? undefined : { n: skipped.length, first: skipped.slice(0, 3).map(({ why }) => why) };
}

/** What was left out of a selection, as a warning, if anything was. Known once the samples have been read. */
export function skippedWarnings(dataset: Dataset, selection: Selection): string[] {
  const summary = summarizeSkipped(dataset.skipped?.(selection) ?? []);
  if (!summary) return [];
  const { n, first } = summary;
  const more = n > first.length ? `; and ${n - first.length} more` : '';
  return [`${n} bad sample${n === 1 ? ' was' : 's were'} left out: ${first.join('; ')}${more}`];
}

function membership(selection: Selection): (position: number) => boolean {
  if ('from' in selection) {
    const { from, to = Infinity } = selection;
    return (position) => position >= from && position < to;
  }
  const positions = new Set(selection);
  return (position) => positions.has(position);
}
