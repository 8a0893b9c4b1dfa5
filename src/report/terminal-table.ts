/** Aligned columns and colours (SGR codes) for a terminal. Colour only adds: without it every text reads the same. */
import { clean, shorten } from './format.ts';

interface Cell {
  readonly text: string;
  readonly paint?: Paint;
}

interface TableOptions {
  /** Characters a line may have. */
  readonly width: number;
  /** Painted on the first row. */
  readonly header: Paint;
  /** Columns that are aligned to the left; default the first. */
  readonly left?: readonly number[];
  /** The column that gives way; default the first. */
  readonly flexible?: number;
}

const gap = 2;
const margin = 1;

export function table(rows: readonly (readonly (Cell | string)[])[], options: TableOptions): string[] {
  const { width, header, left = [0], flexible = 0 } = options;
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'string' ? { text: clean(cell) } : { ...cell, text: clean(cell.text) })),
  );
  const columns = Math.max(...cells.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...cells.map((row) => row[i]?.text.length ?? 0)));
  const excess = margin + widths.reduce((sum, w) => sum + w, 0) + gap * (columns - 1) - width;
  if (excess > 0) widths[flexible] = Math.max(8, widths[flexible]! - excess);
  return cells.map((row, index) => {
    const line = row.map(({ text, paint = plain }, column) => {
      const shown = column === flexible ? shorten(text, widths[column]!) : text;
      const space = ' '.repeat(Math.max(0, widths[column]! - shown.length));
      const painted = (index === 0 ? header : paint)(shown);
      return left.includes(column) ? painted + space : space + painted;
    });
    return (' '.repeat(margin) + line.join(' '.repeat(gap))).trimEnd();
  });
}

/** Terminal colours (SGR codes). Colour only adds: without it every text reads the same. */
type Paint = (text: string) => string;

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  inverse: [7, 27],
} as const;

export type Palette = Readonly<Record<keyof typeof codes, Paint>>;

export function palette(color: boolean): Palette {
  const entries = Object.entries(codes).map(([name, [on, off]]): [string, Paint] => [
    name,
    color ? (text) => (text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`) : (text) => text,
  ]);
  return Object.fromEntries(entries) as Palette;
}

export const plain: Paint = (text) => text;
