/** Every quantized tensor in a table; the worst ones in pictures: histogram with clip lines, channels of weights. */
import type { TensorRow } from '../../../compare/report.ts';
import { digits, inUnit, percent, shorten } from '../../format.ts';
import { tensorName, worstTensors } from '../../words.ts';
import { el, folded, name, tableOf, type Child, type Markup } from '../markup.ts';
import { extent, fill, inside, label, legend, linear, plot, stroke, type Frame } from '../plot.ts';
import type { Section } from '../section.ts';

const most = { histograms: 12, channels: 6 };

export const tensors: Section = {
  id: 'tensors',
  title: 'Tensors',
  render({ tensors: rows }) {
    if (!rows || rows.length === 0) return undefined;
    const worst = worstTensors(rows);
    const seen = worst
      .filter(({ histogram }) => histogram !== undefined && histogram.counts.length > 0)
      .slice(0, most.histograms);
    const weights = worst.filter(({ channels }) => (channels?.shown.length ?? 0) > 1).slice(0, most.channels);
    const index = new Map(rows.map((row, at) => [row, at]));
    return [
      seen.length > 0 && [
        el('h3', {}, 'Values of the worst tensors'),
        legend(
          ['bar', 'blue', 'float values (logarithmic height)'],
          ['dash', 'red', 'the least and the greatest value that the codes can say'],
        ),
        el(
          'div',
          { class: 'many' },
          seen.map((row) => histogram(row, index.get(row)!)),
        ),
      ],
      weights.length > 0 && [
        el('h3', {}, 'Channels of the worst weights, the largest first'),
        el(
          'div',
          { class: 'many' },
          weights.map((row) => channels(row, index.get(row)!)),
        ),
      ],
      folded(`All ${rows.length} tensors`, all(rows)),
    ];
  },
};

function heading(row: TensorRow, index: number): Markup {
  return el(
    'figcaption',
    { 'data-t': index },
    `#${index + 1} `,
    name(shorten(tensorName(row), 60)),
    el('br'),
    `${row.kind} of ${shorten(row.op, 24)}, ${row.scheme}`,
  );
}

function histogram(row: TensorRow, index: number): Markup {
  const { edges, counts } = row.histogram!;
  const { clipMin, clipMax } = row.range ?? {};
  const frame: Frame = {
    width: 320,
    height: 170,
    title: `Histogram of ${shorten(tensorName(row), 80)}`,
    left: 10,
    right: 10,
    top: 8,
    bottom: 24,
  };
  const { x: across, y: up } = inside(frame);
  const clips = [clipMin, clipMax].filter((value) => value !== undefined && Number.isFinite(value)) as number[];
  const x = linear(extent([...edges, ...clips], [0, 1], 0.02), across, 4);
  const tallest = counts.reduce((a, b) => Math.max(a, b), 1);
  const y = linear([0, Math.log1p(tallest)], up, 2);
  const bars = counts.map((count, i) => {
    if (count === 0) return undefined;
    const [left, right, top] = [x(edges[i]!), x(edges[i + 1]!), y(Math.log1p(count))];
    return el('rect', {
      x: left,
      width: Math.max(0.6, right - left - 0.4),
      y: top,
      height: up[0] - top,
      ...fill('blue'),
    });
  });
  const lines = clips.map((value) =>
    el('line', { x1: x(value), x2: x(value), y1: up[0], y2: up[1] - 4, ...stroke('red', 2, true) }),
  );
  const ticks = x.ticks.map((tick) => label(x(tick), up[0] + 16, String(tick), 'middle'));
  const base = el('line', { x1: across[0], x2: across[1], y1: up[0], y2: up[0], ...stroke('text') });
  return el(
    'figure',
    {},
    heading(row, index),
    plot(frame, undefined, [bars, lines, base, ticks]),
    el('p', { class: 'told' }, figures(row)),
  );
}

function figures({ range, isolated }: TensorRow): string {
  const parts = [
    isolated && `${inUnit(isolated.sqnrDb, 'dB', 1)} alone`,
    range && `values ${digits(range.min, 3)} to ${digits(range.max, 3)}`,
    range?.clipMin !== undefined &&
      range.clipMax !== undefined &&
      `codes ${digits(range.clipMin, 3)} to ${digits(range.clipMax, 3)}`,
    isolated && `${percent(isolated.saturatedPct / 100)} saturated, ${percent(isolated.zeroedPct / 100)} zeroed`,
  ];
  return parts.filter((part) => typeof part === 'string').join('; ');
}

function channels(row: TensorRow, index: number): Markup {
  const { shown, spread, count } = row.channels!;
  const frame: Frame = {
    width: 320,
    height: 130,
    title: `Largest magnitude per channel of ${shorten(tensorName(row), 80)}`,
    left: 10,
    right: 10,
    top: 8,
    bottom: 10,
  };
  const { x: across, y: up } = inside(frame);
  const sizes = shown.map(({ min, max }) => Math.max(Math.abs(min), Math.abs(max)));
  const dead = sizes.filter((size) => size <= sizes[0]! * 1e-6).length;
  const x = linear([0, shown.length], across);
  const y = linear([0, sizes.reduce((a, b) => Math.max(a, b), 0) || 1], up);
  const bars = sizes.map((size, i) =>
    el(
      'rect',
      { x: x(i), width: Math.max(0.8, x(i + 1) - x(i) - 0.8), y: y(size), height: up[0] - y(size), ...fill('blue') },
      el('title', {}, `channel ${shown[i]!.index}: ±${digits(size, 3)}`),
    ),
  );
  const text = `${count} channels${count > shown.length ? ` (${shown.length} shown)` : ''}; the largest is ${digits(spread, 3)} times the median${dead === 0 ? '' : `; ${dead} hold next to nothing`}`;
  return el('figure', {}, heading(row, index), plot(frame, undefined, bars), el('p', { class: 'told' }, text));
}

function all(rows: readonly TensorRow[]): Child {
  const number = (value: number | undefined, digitsAfter: number): string =>
    value === undefined ? '' : Number.isFinite(value) ? value.toFixed(digitsAfter) : String(value);
  return tableOf(
    rows,
    [
      { title: '#', show: (_, index) => String(index + 1), value: (_, index) => index },
      { title: 'tensor', show: (row) => name(tensorName(row)) },
      { title: 'node', show: ({ node, op }) => [name(node), ` ${op}`] },
      { title: 'kind', show: ({ kind }) => kind },
      { title: 'scheme', show: ({ scheme }) => scheme },
      {
        title: 'alone, dB',
        show: ({ isolated }) => number(isolated?.sqnrDb, 1),
        value: ({ isolated }) => isolated?.sqnrDb,
      },
      {
        title: 'whole, dB',
        show: ({ accumulated }) => number(accumulated?.sqnrDb, 1),
        value: ({ accumulated }) => accumulated?.sqnrDb,
      },
      {
        title: 'rmse/scale',
        show: ({ isolated }) => number(isolated?.rmseOverScale, 3),
        value: ({ isolated }) => isolated?.rmseOverScale,
      },
      {
        title: 'saturated, %',
        show: ({ isolated }) => number(isolated?.saturatedPct, 2),
        value: ({ isolated }) => isolated?.saturatedPct,
      },
      {
        title: 'zeroed, %',
        show: ({ isolated }) => number(isolated?.zeroedPct, 2),
        value: ({ isolated }) => isolated?.zeroedPct,
      },
      { title: 'range', show: ({ range }) => range && `${digits(range.min, 3)} … ${digits(range.max, 3)}` },
    ],
    { caption: 'Every quantized tensor, in the order of the graph', sortable: true, key: (_, index) => index },
  );
}
