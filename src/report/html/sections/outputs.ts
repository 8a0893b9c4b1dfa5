/** How far every output moved. */
import { digits, inUnit, plural } from '../../format.ts';
import { name, tableOf } from '../markup.ts';
import type { Section } from '../section.ts';

export const outputs: Section = {
  id: 'outputs',
  title: 'Outputs',
  render({ outputs, data }) {
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
          show: ({ argmaxAgreement: share, argmaxAgreementCi95: ends }) =>
            share === null
              ? ''
              : `${inUnit(share, 'fraction')}${ends ? ` (${ends.map((end) => inUnit(end, 'fraction', 1)).join(' to ')})` : ''}`,
          value: ({ argmaxAgreement: share }) => share ?? undefined,
        },
      ],
      { caption: `Every output over ${plural(data.evaluation.n, 'sample')}`, sortable: outputs.length > 3 },
    );
  },
};
