/** Nodes by the reason that they share: many nodes have few reasons. */
import type { Palette } from './terminal-table.ts';
import { clean, plural, wrap } from './format.ts';

export interface ReasonedNode {
  readonly name: string;
  readonly op: string;
  readonly reason: string;
}

/** Reasons, and names of each, before a list is cut. */
const most = { reasons: 6, names: 6 };

/**
 * Two lines for each reason, the reasons that most nodes have first where `byCount`, else as they come.
 * @param whole where every node is listed, if a list was cut
 */
export function reasonLines(
  nodes: readonly ReasonedNode[],
  { ink, width, whole, byCount = false }: { ink: Palette; width: number; whole: string; byCount?: boolean },
): string[] {
  const groups = new Map<string, string[]>();
  for (const { name, op, reason } of nodes) {
    const named = groups.get(reason);
    if (named) named.push(`${name} (${op})`);
    else groups.set(reason, [`${name} (${op})`]);
  }
  const order = byCount ? [...groups].sort(([, a], [, b]) => b.length - a.length) : [...groups];
  const shown = order.slice(0, most.reasons);
  const lines: string[] = [];
  for (const [reason, names] of shown) {
    const hidden = names.length - most.names;
    const listed = names.slice(0, most.names).join(', ');
    lines.push(indented(`${names.length} ${reason}`, 3, width));
    lines.push(ink.dim(indented(`${listed}${hidden > 0 ? ` and ${hidden} more` : ''}`, 5, width)));
  }
  const hidden = nodes.length - shown.reduce((sum, [, names]) => sum + names.length, 0);
  if (hidden > 0 || shown.some(([, names]) => names.length > most.names))
    lines.push(`   ${hidden > 0 ? `${plural(hidden, 'node')} with other reasons; ` : ''}${whole}`);
  return lines;
}

/** Wrapped text; lines after the first stand two further in. */
export function indented(text: string, indent: number, width: number): string {
  return wrap(clean(text), width - indent - 2)
    .map((line, index) => ' '.repeat(indent + (index > 0 ? 2 : 0)) + line)
    .join('\n');
}
