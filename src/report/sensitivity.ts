/** The sensitivity of the layers on a terminal: the worst first, then the list to leave float. */
import type { Sensitivity } from '../compare/report.ts';
import { palette, table } from './terminal-table.ts';
import { clean, inUnit, plural } from './format.ts';
import type { TerminalOptions } from './terminal.ts';

/** Rows before the table is cut; JSON has all. */
const most = 40;

/** Text with a final newline. */
export function renderSensitivity(
  { metric, unit, n, base, layers, spearman, exclude, until }: Sensitivity,
  { color, width = 80, quiet = false }: Pick<TerminalOptions, 'color' | 'width' | 'quiet'>,
): string {
  const ink = palette(color);
  const show = (value: number | undefined): string => (value === undefined ? '-' : inUnit(value, unit));
  const lines: string[] = [];
  if (!quiet) {
    const rows = layers
      .slice(0, most)
      .map(({ node, op, fast, alone, leftFloat }) => [node, op, show(alone), show(leftFloat), show(fast)]);
    const head = [`layer (${plural(n, 'sample')})`, 'op', 'alone int8', 'alone float', 'first look'];
    lines.push(...table([head, ...rows], { width, header: ink.dim, left: [0, 1] }));
    if (layers.length > most) lines.push(`   and ${layers.length - most} less sensitive ones`);
    lines.push('', ` ${metric} with every layer in int8: ${show(base)}`);
    if (spearman !== undefined)
      lines.push(` first look against measured, rank correlation (Spearman): ${spearman.toFixed(3)}`);
  }
  if (until && exclude) {
    const verdict = until.pass ? ink.green('reached') : ink.red('NOT reached');
    const with_ =
      exclude.length === 0 ? 'with no layer left float' : `with ${plural(exclude.length, 'layer')} left float`;
    lines.push(` ${clean(until.gate)} ${verdict} ${with_}: ${show(until.value)}, measured on the real kernels`);
    for (const node of exclude) lines.push(`   --exclude '${clean(node)}'`);
  }
  return `${lines.join('\n')}\n`;
}
