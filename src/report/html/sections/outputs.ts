/** How far every output moved. */
import type { Report } from '../../../compare/report.ts';
import { digits, inUnit, plural } from '../../format.ts';
import { name, tableOf, type Markup } from '../markup.ts';
import type { Section } from '../section.ts';

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
