/** Errors of asking for a report: forms that there are not. */
import { didYouMean, usageError, type QdqError } from '../errors.ts';

export const reportErrors = {
  format: (format: string, known: readonly string[]): QdqError =>
    usageError(
      'REPORT_FORMAT',
      `'${format}' is no form of a report`,
      didYouMean(format, known, `forms: ${known.join(', ')}`),
    ),

  noFile: (format: string): QdqError =>
    usageError('REPORT_NO_FILE', `'${format}' is not a form of report files`, "'qdq report FILE --format' prints it"),

  formatWithoutReport: (format: string): QdqError =>
    usageError(
      'REPORT_NO_PATH',
      `--report-format ${format} needs a place to write to`,
      'give --report FILE: the other forms are written beside it',
    ),

  updateWithoutBaseline: (): QdqError =>
    usageError('BASELINE_MISSING', '--update-baseline needs to know the file', 'give --baseline FILE'),

  baselineNotFound: (path: string): QdqError =>
    usageError(
      'BASELINE_NOT_FOUND',
      `the baseline ${path} does not exist`,
      'the first time, make it with --baseline FILE --update-baseline',
    ),

  summaryUnwritable: (path: string, cause: unknown): QdqError =>
    usageError(
      'SUMMARY_UNWRITABLE',
      `the job summary ${path} cannot be written: ${(cause as Error).message}`,
      'GITHUB_STEP_SUMMARY names it',
    ),
};
