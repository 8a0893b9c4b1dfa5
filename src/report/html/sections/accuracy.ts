/** How accurate int8 is: what the change did to the task, with its confidence interval, and how far every output moved. */
import type { Report, ClassRow, TaskRow } from '../../../compare/report.ts';
import { digits, inUnit, plural, percent, points, probability } from '../../format.ts';
import { name, tableOf, type Markup, el, type Child } from '../markup.ts';
import type { Section } from '../section.ts';
import { taskFormats } from '../../words.ts';
import { rowChart } from '../rows.ts';

export const task: Section = {
  id: 'task',
  title: 'Task accuracy',
  lead: 'The line is the 95 % confidence interval of the change: where it crosses 0, chance alone may have made the change.',
  render(report) {
    if (report.task.length === 0) return undefined;
    return [
      changes(report.task),
      figures(report.task),
      el('div', { class: 'two' }, report.task.slice(0, 1).map(flips)),
      classes(report.classes),
      confusion(report),
    ];
  },
};

function changes(rows: readonly TaskRow[]): Child {
  const fractions = rows.filter(({ unit }) => unit === 'fraction');
  if (fractions.length === 0) return undefined;
  return rowChart(
    fractions.map((row) => ({
      name: row.metric,
      told: `${row.metric}: ${percent(row.float)} → ${percent(row.quant)}`,
      dots: [
        {
          value: row.delta * 100,
          ink: 'red',
          shape: 'diamond',
          ...(row.ci95 && { interval: [row.ci95[0] * 100, row.ci95[1] * 100] }),
        },
      ],
      text: `${points(row.delta)} of ${percent(row.float)}`,
    })),
    {
      title: 'Change of task metrics with 95 % intervals',
      axis: 'change, percentage points',
      line: { value: 0, text: 'no change' },
      names: 14,
      right: 140,
    },
  );
}

function figures(rows: readonly TaskRow[]): Child {
  return tableOf(
    rows,
    [
      { title: 'metric', show: ({ metric }) => name(metric) },
      { title: 'float', show: (row) => taskFormats(row).value(row.float), value: (row) => row.float },
      { title: 'int8', show: (row) => taskFormats(row).value(row.quant), value: (row) => row.quant },
      { title: 'change', show: (row) => taskFormats(row).change(row.delta), value: (row) => row.delta },
      {
        title: '95 % interval',
        show: (row) => row.ci95 && `${taskFormats(row).change(row.ci95[0])} to ${taskFormats(row).change(row.ci95[1])}`,
        unbroken: true,
      },
      { title: 'p', show: ({ p }) => (p === undefined ? '' : probability(p)), value: ({ p }) => p },
      { title: 'samples', show: ({ n }) => String(n), value: ({ n }) => n },
    ],
    { caption: 'Both models on the task' },
  );
}

/** Which samples turned, and which way. */
function flips({ metric, paired, p }: TaskRow): Child {
  if (!paired) return undefined;
  const { bothRight, onlyFloat, onlyQuant, bothWrong } = paired;
  const rows = [
    { title: 'float right', right: bothRight, wrong: onlyFloat },
    { title: 'float wrong', right: onlyQuant, wrong: bothWrong },
  ];
  return el(
    'div',
    {},
    tableOf(
      rows,
      [
        { title: '', show: ({ title }) => title },
        { title: 'int8 right', show: ({ right }) => String(right), value: ({ right }) => right },
        { title: 'int8 wrong', show: ({ wrong }) => String(wrong), value: ({ wrong }) => wrong },
      ],
      { caption: `Samples by which model is right (${metric})` },
    ),
    el(
      'p',
      {},
      `${onlyFloat} lost, ${onlyQuant} won${p === undefined ? '' : `; were both as likely, p = ${probability(p)} (exact McNemar test)`}.`,
    ),
  );
}

const most = 40;

function classes(rows: readonly ClassRow[] | undefined): Child {
  if (!rows || rows.length < 2) return undefined;
  // Of many classes those that stayed as they were tell nothing.
  const telling = rows.length > most ? rows.filter(({ delta }) => delta !== 0) : rows;
  const shown = telling.slice(0, most);
  const hidden = rows.length - shown.length;
  return [
    el('h3', {}, 'Class by class, the worst change first'),
    shown.length > 0 &&
      rowChart(
        shown.map(({ label, name: title, delta, ci95, float, quant, n }) => ({
          name: title ?? String(label),
          told: `class ${label}${title === undefined ? '' : ` ${title}`}: ${percent(float)} → ${percent(quant)} of ${n}`,
          dots: [{ value: delta * 100, ink: 'red', shape: 'diamond', interval: [ci95[0] * 100, ci95[1] * 100] }],
          text: `${points(delta)} (n=${n})`,
        })),
        {
          title: 'Change of accuracy per class with 95 % intervals',
          axis: 'change, percentage points',
          line: { value: 0, text: 'no change' },
          names: 18,
          right: 120,
        },
      ),
    hidden > 0 &&
      el(
        'p',
        {},
        `${plural(hidden, 'better or unchanged class', 'better or unchanged classes')} omitted; the JSON report has all.`,
      ),
  ];
}

function confusion({ confusion: found, classes: named = [] }: Report): Child {
  if (!found || found.pairs.length === 0) return undefined;
  const called = (label: number): Child => name(named.find((row) => row.label === label)?.name ?? String(label));
  return tableOf(
    found.pairs.slice(0, 10),
    [
      { title: 'float says', show: ({ float }) => called(float) },
      { title: 'int8 says', show: ({ quant }) => called(quant) },
      { title: 'samples', show: ({ n }) => String(n), value: ({ n }) => n },
    ],
    { caption: 'Where the two models say different things, most frequent first' },
  );
}

/** How far every output moved. */
export const outputs: Section = {
  id: 'outputs',
  title: 'Outputs',
  render({ outputs, texts = [], data }) {
    const over = `over ${plural(data.evaluation.n, 'sample')}`;
    return [outputs.length > 0 && numbersTable(outputs, over), texts.length > 0 && textsTable(texts, over)];
  },
};

function numbersTable(outputs: Report['outputs'], over: string): Markup {
  return tableOf(
    outputs,
    [
      { title: 'output', show: (row) => name(row.name) },
      {
        title: 'SQNR',
        show: (row) => (row.nonFinite > 0 ? 'not finite' : inUnit(row.sqnrDb, 'dB')),
        value: ({ sqnrDb }) => sqnrDb,
      },
      { title: 'cosine', show: ({ cosine }) => inUnit(cosine, 'a cosine'), value: ({ cosine }) => cosine },
      { title: 'largest error', show: ({ maxAbs }) => digits(maxAbs, 3), value: ({ maxAbs }) => maxAbs },
      { title: 'at', show: ({ maxAbsAt }) => maxAbsAt !== undefined && name(maxAbsAt) },
      { title: 'mean error', show: ({ meanAbs }) => digits(meanAbs, 3), value: ({ meanAbs }) => meanAbs },
      {
        title: 'agreement',
        show: ({ argmaxAgreement, argmaxAgreementCi95 }) => share(argmaxAgreement, argmaxAgreementCi95),
        value: ({ argmaxAgreement }) => argmaxAgreement ?? undefined,
      },
    ],
    { caption: `Every output ${over}`, sortable: outputs.length > 3 },
  );
}

function textsTable(texts: NonNullable<Report['texts']>, over: string): Markup {
  return tableOf(
    texts,
    [
      { title: 'output of texts', show: (row) => name(row.name) },
      { title: 'texts', show: ({ n }) => String(n), value: ({ n }) => n },
      {
        title: 'agreement',
        show: ({ agreement, agreementCi95 }) => share(agreement, agreementCi95),
        value: ({ agreement }) => agreement,
      },
      {
        title: 'first that differ',
        show: ({ differ }) =>
          differ.map(({ sample, float, quant }, i) => [
            i > 0 && ', ',
            name(float),
            ' became ',
            name(quant),
            ' at ',
            name(sample),
          ]),
      },
    ],
    { caption: `Every output of texts ${over}` },
  );
}

function share(value: number | null, ends: readonly [number, number] | undefined): string {
  if (value === null) return '';
  return `${inUnit(value, 'fraction')}${ends ? ` (${ends.map((end) => inUnit(end, 'fraction', 1)).join(' to ')})` : ''}`;
}
