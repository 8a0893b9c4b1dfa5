/**
 * HTML and SVG that cannot be broken by what stands in it: elements are made by `el`, and every string that goes into one is
 * escaped. Only texts of this room itself become markup unescaped, through `trusted`.
 */
import { escapeMarkup } from '../escape.ts';

export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Child = Markup | string | number | undefined | false | readonly Child[];
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Literals of this room, never anything of a report. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

const empty = new Set(['br', 'meta', 'circle', 'line', 'path', 'polyline', 'rect']);

/** Attributes that are undefined or false are left out; true gives the bare name. Numbers are rounded to a tenth of a unit. */
export function el(tag: string, attributes: Attributes = {}, ...children: Child[]): Markup {
  const written = Object.entries(attributes).map(([name, value]) => {
    if (value === undefined || value === false) return '';
    return value === true ? ` ${name}` : ` ${name}="${typeof value === 'number' ? short(value) : escapeMarkup(value)}"`;
  });
  const inner = textOf(children);
  const close = empty.has(tag) && inner === '' ? (svgTags.has(tag) ? '/>' : '>') : `>${inner}</${tag}>`;
  return new Markup(`<${tag}${written.join('')}${close}`);
}

const svgTags = new Set(['circle', 'line', 'path', 'polyline', 'rect']);

export function textOf(child: Child): string {
  if (child === undefined || child === false) return '';
  if (child instanceof Markup) return child.text;
  if (typeof child === 'string') return escapeMarkup(child);
  return typeof child === 'number' ? short(child) : (child as readonly Child[]).map(textOf).join('');
}

/** Coordinates need no more, and files stay small. */
export function short(value: number): string {
  return Number.isFinite(value) ? String(Math.round(value * 10) / 10) : '0';
}

export interface Column<Row> {
  readonly title: string;
  /** What the cell shows. */
  readonly show: (row: Row, index: number) => Child;
  /** What it sorts by, for numbers; such columns stand to the right. */
  readonly value?: (row: Row, index: number) => number | undefined;
  /** Figures that are read as one: no line ends within, but on a phone. */
  readonly unbroken?: boolean;
}

export interface TableOptions<Row> {
  readonly caption: string;
  /** The script makes it sortable, and gives it a filter when it is long. */
  readonly sortable?: boolean;
  /** Ties rows to marks of plots. */
  readonly key?: (row: Row, index: number) => number | undefined;
}

/** Longer tables scroll in a box of their own height. */
const tallRows = 24;

/** A table of its own scroll box, so that a wide one does not widen the page. */
export function tableOf<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { caption, sortable = false, key }: TableOptions<Row>,
): Markup {
  const head = columns.map(({ title, value }) => el('th', { scope: 'col', class: value ? 'n' : undefined }, title));
  const body = rows.map((row, index) =>
    el(
      'tr',
      { 'data-t': key?.(row, index) },
      columns.map(({ show, value, unbroken }) => {
        const number = value?.(row, index);
        return el(
          'td',
          {
            class: value ? 'n' : unbroken ? 'k' : undefined,
            'data-v': number === undefined ? undefined : String(number),
          },
          show(row, index),
        );
      }),
    ),
  );
  return el(
    'div',
    { class: rows.length > tallRows ? 'scroll tall' : 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    el(
      'table',
      { class: sortable ? 'sortable' : undefined },
      el('caption', {}, caption),
      el('thead', {}, el('tr', {}, head)),
      el('tbody', {}, body),
    ),
  );
}

/** A name from a model: set in code type, and breakable anywhere. */
export function name(text: string): Markup {
  return el('code', {}, text);
}

export function folded(title: Child, ...children: Child[]): Markup {
  return el('details', {}, el('summary', {}, title), children);
}
