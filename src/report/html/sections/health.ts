/** Calibration health: had the ranges settled, do single samples stretch them, and which channels never change. */
import type { Report } from '../../../compare/report.ts';
import { digits, percent, plural } from '../../format.ts';
import { el, name, tableOf, type Child } from '../markup.ts';
import { rowChart } from '../rows.ts';
import type { Section } from '../section.ts';

type Health = NonNullable<NonNullable<Report['data']['calibration']>['health']>;

const most = 12;

export const health: Section = {
  id: 'health',
  title: 'Calibration health',
  render({ data }) {
    const found = data.calibration?.health;
    if (!found) return undefined;
    const { samples, tensors, growing, outliers, dead, constant } = found;
    const settled = growing.length === 0 ? ', and their ranges have settled' : '';
    return [
      el('p', {}, `${plural(samples, 'sample')} were seen by ${plural(tensors, 'tensor')}${settled}.`),
      el('div', { class: 'two' }, growth(growing), stretched(outliers)),
      channels([
        ...dead.map((row) => ({ ...row, what: 'always 0' })),
        ...constant.map((row) => ({ ...row, what: 'one value throughout' })),
      ]),
    ];
  },
};

function growth(rows: Health['growing']): Child {
  if (rows.length === 0) return undefined;
  return el(
    'figure',
    {},
    el(
      'figcaption',
      {},
      `Part of its range that the last tenth of the samples still added: more samples may widen ${plural(rows.length, 'tensor')}.`,
    ),
    rowChart(
      rows.slice(0, most).map(({ tensor, share }) => ({
        name: tensor,
        told: `${tensor}: ${percent(share)}`,
        bars: [{ value: share * 100, ink: 'blue', text: percent(share) }],
      })),
      { title: 'Range growth by tensor', axis: '% of the range', from: 0, right: 70 },
    ),
  );
}

function stretched(rows: Health['outliers']): Child {
  if (rows.length === 0) return undefined;
  return el(
    'figure',
    {},
    el(
      'figcaption',
      {},
      `Largest value over the usual one: an observer that clips may help ${plural(rows.length, 'tensor')}.`,
    ),
    rowChart(
      rows.slice(0, most).map(({ tensor, ratio }) => ({
        name: tensor,
        told: `${tensor}: ${digits(ratio, 3)} times the usual`,
        bars: [{ value: ratio, ink: 'red', text: `${digits(ratio, 3)}x` }],
      })),
      { title: 'Outliers by tensor', axis: 'times the usual', from: 0, right: 70 },
    ),
  );
}

function channels(rows: readonly (Health['dead'][number] & { readonly what: string })[]): Child {
  if (rows.length === 0) return undefined;
  return tableOf(
    rows,
    [
      { title: 'tensor', show: ({ tensor }) => name(tensor) },
      {
        title: 'channels',
        show: ({ channels: count, of }) => `${count} of ${of}`,
        value: ({ channels: count }) => count,
      },
      { title: 'that are', show: ({ what }) => what },
      { title: 'which', show: ({ which }) => which.slice(0, 24).join(', ') + (which.length > 24 ? ' …' : '') },
    ],
    { caption: 'Dead and constant channels', sortable: rows.length > 3 },
  );
}
