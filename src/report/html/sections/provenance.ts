/** Where the figures come from (files, samples, versions, machine, command), and the health of the calibration. */
import type { Report, ModelFile } from '../../../compare/report.ts';
import { digits, percent, plural, bytes } from '../../format.ts';
import { el, name, tableOf, type Child, folded } from '../markup.ts';
import { rowChart } from '../rows.ts';
import type { Section } from '../section.ts';
import { improvementWords } from '../../words.ts';

export const provenance: Section = {
  id: 'provenance',
  title: 'Provenance',
  render(report) {
    const { environment: env, data, command, tool, created, recipe, improvements = [] } = report;
    const { evaluation, calibration } = data;
    const facts: [string, Child][] = [
      ['command', el('code', { class: 'command' }, command)],
      ['made by', `${tool.name} ${tool.version}${created === undefined ? '' : `, ${created}`}`],
      ['float model', model(report.models.float)],
      ['int8 model', model(report.models.quant)],
      [
        'evaluation',
        [
          `${plural(evaluation.n, 'sample')} of `,
          name(evaluation.source),
          ` (${evaluation.format}${evaluation.labelled ? ', labelled' : ''})`,
          hash(evaluation.idsHash),
        ],
      ],
      ['preprocessing', evaluation.preprocess === null ? 'none' : name(evaluation.preprocess)],
      [
        'calibration',
        calibration
          ? [`${plural(calibration.n, 'sample')} of `, name(calibration.source), hash(calibration.idsHash)]
          : 'not known',
      ],
      ...improvements.map((each): [string, Child] => ['correction', improvementWords(each)]),
      [
        'runtime',
        `onnxruntime ${env.ort}, Node.js ${env.node}, ${plural(env.threads, 'thread')}${env.exactInt8 ? ', exact int8 products' : ''}`,
      ],
      ['machine', `${env.cpu} (${env.arch}: ${env.features.join(' ')}), ${env.os}`],
    ];
    return [
      tableOf(
        facts,
        [
          { title: 'what', show: ([what]) => what },
          { title: 'which', show: ([, which]) => which },
        ],
        { caption: 'What was compared, where and how' },
      ),
      recipe !== undefined && folded('Recipe', el('pre', {}, JSON.stringify(recipe, undefined, 2))),
    ];
  },
};

function model({ path, sha256, bytes: size, opset, ir }: ModelFile): Child {
  return [name(path), ` ${bytes(size)}, opset ${opset}, IR ${ir}`, hash(sha256)];
}

function hash(sha256: string | null): Child {
  return sha256 !== null && [' ', el('code', { class: 'hash' }, `sha256 ${sha256}`)];
}

/** Calibration health: had the ranges settled, do single samples stretch them, and which channels never change. */
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
