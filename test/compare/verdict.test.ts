import { expect, it } from 'vitest';
import { judgeAgain } from '../../src/compare/verdict.ts';
import type { Report } from '../../src/compare/report.ts';
import { sampleReport } from '../report/sample-report.ts';

const report = sampleReport();
const warningsAgainst = (before: Report): string[] =>
  judgeAgain(report, [], { path: 'before.json', report: before })
    .warnings.filter(({ code }) => code === 'BASELINE')
    .map(({ message }) => message);

it('says nothing of a baseline of the same model and samples', () => {
  expect(warningsAgainst(report)).toEqual([]);
});

it('warns of a baseline of another float model, of other samples, of a run that failed', () => {
  const { models, data } = report;
  const sha256 = 'f'.repeat(64);
  const otherModel = { ...report, models: { ...models, float: { ...models.float, path: 'other.onnx', sha256 } } };
  expect(warningsAgainst(otherModel)).toEqual([expect.stringContaining('of another float model (other.onnx)')]);
  const otherData = { ...report, data: { ...data, evaluation: { ...data.evaluation, idsHash: sha256 } } };
  expect(warningsAgainst(otherData)).toEqual([expect.stringContaining('on other samples')]);
  const otherLook = { ...report, data: { ...data, evaluation: { ...data.evaluation, preprocess: 'scale=2' } } };
  expect(warningsAgainst(otherLook)).toEqual([expect.stringContaining('another preprocessing (scale=2)')]);
  expect(warningsAgainst({ ...report, verdict: 'fail' })).toEqual([expect.stringContaining('a run that failed')]);
});

it('lets go of what it said of another baseline', () => {
  const first = judgeAgain(report, [], { path: 'before.json', report: { ...report, verdict: 'fail' } });
  expect(first.warnings.length).toBe(report.warnings.length + 1);
  expect(judgeAgain(first, [], undefined).warnings).toEqual(report.warnings);
});
