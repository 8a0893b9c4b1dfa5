/** Charts of named rows: bars, dots and intervals on one axis, the name to the left and the figures to the right. */
import { shorten } from '../format.ts';
import { el, type Markup } from './markup.ts';
import { extent, fill, label, linear, mark, plot, stroke, type Ink, type Shape } from './plot.ts';

export interface Bar {
  readonly value: number;
  readonly ink: Ink;
  /** Beyond the end of the bar. */
  readonly text: string;
  /** A thin line to here, such as a 95 % quantile. */
  readonly whisker?: number;
}

export interface Dot {
  readonly value: number;
  readonly ink: Ink;
  readonly shape: Shape;
  readonly interval?: readonly [number, number];
}

export interface Row {
  readonly name: string;
  /** Told when pointed at; nothing when empty. */
  readonly told: string;
  readonly bars?: readonly Bar[];
  readonly dots?: readonly Dot[];
  /** At the right edge. */
  readonly text?: string;
}

export interface RowsOptions {
  readonly title: string;
  readonly axis: string;
  readonly axisText?: (value: number) => string;
  /** A line across all rows, with its name. */
  readonly line?: { readonly value: number; readonly text: string } | undefined;
  /** Bars start here; dots need no start. */
  readonly from?: number;
  readonly width?: number;
  /** Characters that names may have. */
  readonly names?: number;
  /** Room for the texts to the right. */
  readonly right?: number;
}

const barHeight = 13;

export function rowChart(rows: readonly Row[], options: RowsOptions): Markup {
  const { title, axis, axisText = String, line, from, width = 420, names = 18, right = 100 } = options;
  const values = rows.flatMap(({ bars = [], dots = [] }) => [
    ...bars.map(({ value }) => value),
    ...dots.flatMap(({ value, interval = [] }) => [value, ...interval]),
  ]);
  // An outlying whisker must not squeeze the bars: it ends at the edge, and its figure stands in the text.
  const longest = Math.max(0, ...rows.flatMap(({ bars = [] }) => bars.map(({ whisker }) => whisker ?? 0)));
  if (longest > 0) values.push(Math.min(longest, 1.6 * Math.max(...values)));
  const lines = [...(from === undefined ? [] : [from]), ...(line ? [line.value] : [])];
  const [low, high] = extent([...values, ...lines], [0, 1], from === undefined ? 0.05 : 0.02);
  const left = 14 + names * 6.8;
  const x = linear([from === undefined ? low : Math.min(from, low + 1e-12), high], [left, width - right], 4);
  const heights = rows.map(({ bars = [] }) => Math.max(20, bars.length * (barHeight + 2) + 7));
  const top = line ? 22 : 8;
  const bottom = heights.reduce((sum, height) => sum + height, top);
  let y = top;
  const drawn = rows.map((row, index) => {
    const at = y;
    y += heights[index]!;
    return drawRow(row, at, heights[index]!, x, { left, width, names, from: from ?? low });
  });
  const grid = x.ticks.map((tick) => el('line', { x1: x(tick), x2: x(tick), y1: top, y2: bottom, ...stroke('line') }));
  return plot(
    { width, height: bottom + 38, title },
    undefined,
    [
      grid,
      line && [
        el('line', { x1: x(line.value), x2: x(line.value), y1: top - 4, y2: bottom, ...stroke('text', 1.5, true) }),
        label(x(line.value), 13, line.text, x(line.value) > width * 0.6 ? 'end' : 'start'),
      ],
      drawn,
      x.ticks.map((tick) => label(x(tick), bottom + 15, axisText(tick), 'middle')),
      label((left + width - right) / 2, bottom + 31, axis, 'middle'),
    ],
    true,
  );
}

interface Place {
  readonly left: number;
  readonly width: number;
  readonly names: number;
  readonly from: number;
}

function drawRow(row: Row, y: number, height: number, x: (value: number) => number, place: Place): Markup {
  const { name, told, bars = [], dots = [], text } = row;
  const middle = y + height / 2;
  const origin = x(place.from);
  return el(
    'g',
    {},
    told !== '' && el('title', {}, told),
    el(
      'text',
      {
        x: place.left - 8,
        y: middle + 4,
        'text-anchor': 'end',
        'font-family': 'ui-monospace, monospace',
        'font-size': '11',
        ...fill('text'),
      },
      shorten(name, place.names),
    ),
    bars.map((bar, index) => {
      const at = y + 4 + index * (barHeight + 2);
      const end = x(bar.value);
      const tip = bar.whisker === undefined ? end : Math.max(end, x(bar.whisker));
      return [
        bar.value !== 0 &&
          el('rect', {
            x: Math.min(origin, end),
            y: at,
            width: Math.max(1, Math.abs(end - origin)),
            height: barHeight,
            ...fill(bar.ink),
          }),
        bar.whisker !== undefined &&
          el('line', {
            x1: end,
            x2: x(bar.whisker),
            y1: at + barHeight / 2,
            y2: at + barHeight / 2,
            ...stroke('text'),
          }),
        label(tip + 5, at + barHeight - 2, bar.text),
      ];
    }),
    dots.map(({ value, ink, shape, interval }) => [
      interval && el('line', { x1: x(interval[0]), x2: x(interval[1]), y1: middle, y2: middle, ...stroke(ink, 2) }),
      mark(shape, x(value), middle, ink, told),
    ]),
    text !== undefined && label(place.width - 4, middle + 4, text, 'end'),
  );
}
