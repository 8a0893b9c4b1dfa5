/** Words and columns of the results that are not reports. Names come from models: no control character gets through. */
import { plain, table } from '../report/terminal-table.ts';
import { clean } from '../report/format.ts';

/** Aligned columns without a header, never shortened: these results are also read by grep. */
export function columns(rows: readonly (readonly string[])[], left: readonly number[] = [0]): string[] {
  return rows.length === 0 ? [] : table(rows, { width: Infinity, header: plain, left }).map((line) => ` ${line}`);
}

export function textOf(lines: readonly string[]): string {
  return lines.map(clean).join('\n');
}

/** 1,234,567 */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** The most frequent first, ties by name. */
export function byFrequency(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

/** Lines that tell the same thing of several nodes become one. */
export function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

/** The first few names, and how many more there are. */
export function someOf(names: readonly string[], limit = 3): string {
  const more = names.length - limit;
  return more > 0 ? `${names.slice(0, limit).join(', ')} and ${more} more` : names.join(', ');
}
