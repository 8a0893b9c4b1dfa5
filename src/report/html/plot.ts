/**
 * Static SVG plots: scales, axes and marks. Colours stand as presentation attributes, so that a viewer that drops the style sheet
 * still shows them, and as classes, so that the style sheet can turn them for the dark. Two inks alone: blue for float and for
 * what a quantizer does alone, red-orange for int8 and for what has piled up; shape tells them apart as well.
 */
import { el, type Child, type Markup } from './markup.ts';

export type Ink = 'blue' | 'red' | 'line' | 'text';

const inks: Readonly<Record<Ink, string>> = { blue: '#1f6fb2', red: '#cf4a1c', line: '#c9ced6', text: '#333b47' };

export function fill(ink: Ink): { class: string; fill: string } {
  return { class: `f-${ink}`, fill: inks[ink] };
}

export function stroke(ink: Ink, width = 1, dashed = false): Record<string, string | number> {
  return {
    class: `s-${ink}`,
    stroke: inks[ink],
    'stroke-width': width,
    fill: 'none',
    ...(dashed && { 'stroke-dasharray': '5 4' }),
  };
}

export interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
}

/** Values beyond the domain, infinities and NaN are drawn on its edge: NaN at the low one. */
export function linear(
  [low, high]: readonly [number, number],
  [start, end]: readonly [number, number],
  count = 5,
): Scale {
  const span = high - low || 1;
  const scale = (value: number): number => {
    const inside = Number.isNaN(value) ? low : Math.min(high, Math.max(low, value));
    return start + ((inside - low) / span) * (end - start);
  };
  return Object.assign(scale, { ticks: niceTicks(low, high, count) });
}

/** Multiples of 1, 2 or 5 times a power of ten. */
export function niceTicks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999)!;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** The least and greatest finite values, widened a little; the fallback when there is none. */
export function extent(
  values: readonly number[],
  fallback: readonly [number, number],
  margin = 0.05,
): [number, number] {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return [...fallback];
  const low = finite.reduce((a, b) => Math.min(a, b));
  const high = finite.reduce((a, b) => Math.max(a, b));
  const pad = (high - low || Math.abs(high) || 1) * margin;
  return [low - pad, high + pad];
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  /** For readers of screens: what the plot shows. */
  readonly title: string;
  readonly left?: number;
  readonly right?: number;
  readonly top?: number;
  readonly bottom?: number;
}

export interface Axes {
  readonly x: Scale;
  readonly y: Scale;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly xText?: (value: number) => string;
  readonly yText?: (value: number) => string;
}

/** The rectangle inside the axes: [left, right], [bottom, top] in pixels, as scales want them. */
export function inside({ width, height, left = 46, right = 12, top = 10, bottom = 38 }: Frame): {
  x: [number, number];
  y: [number, number];
} {
  return { x: [left, width - right], y: [height - bottom, top] };
}

/** An SVG with its axes behind the marks. `wide` plots scroll on narrow screens instead of shrinking until nobody can read them. */
export function plot(frame: Frame, axes: Axes | undefined, marks: Child, wide = false): Markup {
  const { width, height, title } = frame;
  const svg = el(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': title,
      'font-family': 'system-ui, sans-serif',
      'font-size': '12',
    },
    axes && drawAxes(frame, axes),
    marks,
  );
  return el(
    'div',
    { class: `plot${wide ? ' wide' : ''}${width > 700 ? '' : width > 500 ? ' small' : ' narrow'}` },
    svg,
  );
}

/** The same plot as wide as a desktop, and as a phone: either would be unreadable on the other. */
export function twoWidths(roomy: Child, compact: Child): Child {
  return [
    el('div', { class: 'roomy' }, roomy),
    // Where there is no style sheet to choose, the first is shown.
    el('div', { class: 'compact', hidden: true, 'aria-hidden': 'true' }, compact),
  ];
}

function drawAxes(frame: Frame, axes: Axes): Markup[] {
  const { x, y, xLabel, yLabel, xText = String, yText = String } = axes;
  const {
    x: [left, right],
    y: [bottom, top],
  } = inside(frame);
  const grid = y.ticks.map((tick) => el('line', { x1: left, x2: right, y1: y(tick), y2: y(tick), ...stroke('line') }));
  const yTicks = y.ticks.map((tick) => label(left - 6, y(tick) + 4, yText(tick), 'end'));
  const xTicks = x.ticks.map((tick) => label(x(tick), bottom + 15, xText(tick), 'middle'));
  const base = el('line', { x1: left, x2: right, y1: bottom, y2: bottom, ...stroke('text') });
  return [
    ...grid,
    base,
    ...yTicks,
    ...xTicks,
    label((left + right) / 2, bottom + 31, xLabel, 'middle'),
    el(
      'text',
      { transform: `translate(12 ${(top + bottom) / 2}) rotate(-90)`, 'text-anchor': 'middle', ...fill('text') },
      yLabel,
    ),
  ];
}

export function label(
  x: number,
  y: number,
  text: string,
  anchor: 'start' | 'middle' | 'end' = 'start',
  ink: Ink = 'text',
): Markup {
  return el('text', { x, y, 'text-anchor': anchor === 'start' ? undefined : anchor, ...fill(ink) }, text);
}

export type Shape = 'circle' | 'diamond' | 'triangle';

/** A mark that tells its figures when pointed at, if it has any to tell. `key` ties it to the same thing elsewhere on the page. */
export function mark(shape: Shape, x: number, y: number, ink: Ink, told: string, key?: number, size = 4): Markup {
  const title = told !== '' && el('title', {}, told);
  const shared = { ...fill(ink), 'data-t': key };
  if (shape === 'circle') return el('circle', { cx: x, cy: y, r: size, ...shared }, title);
  const s = size * 1.25;
  const corners =
    shape === 'diamond'
      ? `M${p(x, y - s)}L${p(x + s, y)}L${p(x, y + s)}L${p(x - s, y)}Z`
      : `M${p(x, y - s)}L${p(x + s, y + s * 0.8)}L${p(x - s, y + s * 0.8)}Z`;
  return el('path', { d: corners, ...shared }, title);
}

const p = (x: number, y: number): string => `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;

export function polyline(points: readonly (readonly [number, number])[], ink: Ink, width = 1.5): Markup {
  return el('polyline', { points: points.map(([x, y]) => p(x, y)).join(' '), ...stroke(ink, width) });
}

/** What the inks and shapes mean, as a line of text above the plot. */
export function legend(...entries: readonly (readonly [Shape | 'bar' | 'dash', Ink, string])[]): Markup {
  return el(
    'p',
    { class: 'legend' },
    entries.map(([shape, ink, text]) => [
      el('span', {}, el('svg', { width: 16, height: 14, 'aria-hidden': 'true' }, sign(shape, ink)), ` ${text}`),
      ' ',
    ]),
  );
}

function sign(shape: Shape | 'bar' | 'dash', ink: Ink): Markup {
  if (shape === 'bar') return el('rect', { x: 1, y: 3, width: 13, height: 8, ...fill(ink) });
  if (shape === 'dash') return el('line', { x1: 0, x2: 16, y1: 7, y2: 7, ...stroke(ink, 2, true) });
  return mark(shape, 7, 7, ink, '');
}
