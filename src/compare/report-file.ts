/** Report files: written whole or not at all, read back only when they are what they say. */
import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { ZodError } from 'zod';
import { compareErrors } from '../errors/compare.ts';
import { onInterrupt } from '../process/interrupt.ts';
import { withoutMark } from '../onnx/strings.ts';
import { withoutTimes } from './verdict.ts';
import { canonicalJson, reportSchema, reportSchemaVersion, type Report } from './report.ts';

export interface WriteReportOptions {
  /** Leave out times and what follows from them, so that equal inputs give equal bytes. */
  readonly reproducible?: boolean;
}

/** @throws REPORT_UNWRITABLE */
export function writeReport(path: string, report: Report, { reproducible = false }: WriteReportOptions = {}): void {
  writeWhole(path, canonicalJson(reproducible ? withoutTimes(report) : report));
}

/** Beside first, then renamed. @throws REPORT_UNWRITABLE */
export function writeWhole(path: string, text: string): void {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}.tmp`);
  const remove = (): void => rmSync(temporary, { force: true });
  const release = onInterrupt(remove);
  try {
    writeFileSync(temporary, text, { flag: 'wx' });
    renameSync(temporary, path);
  } catch (cause) {
    remove();
    throw compareErrors.reportUnwritable(path, cause);
  } finally {
    release();
  }
}

/** @throws REPORT_NOT_FOUND, REPORT_UNREADABLE, REPORT_NOT_JSON, REPORT_VERSION, REPORT_INVALID */
export function readReport(path: string): Report {
  const value = parse(path, readText(path));
  const found = typeof value === 'object' && value !== null ? (value as { schema?: unknown }).schema : undefined;
  if (found !== reportSchemaVersion) throw compareErrors.reportVersion(path, found, reportSchemaVersion);
  const result = reportSchema.safeParse(value);
  if (!result.success) throw compareErrors.reportInvalid(path, ...firstIssue(result.error));
  return result.data;
}

function readText(path: string): string {
  try {
    return withoutMark(readFileSync(path, 'utf8'));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw compareErrors.reportNotFound(path);
    throw compareErrors.reportUnreadable(path, cause);
  }
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw compareErrors.reportNotJson(path, cause);
  }
}

function firstIssue(error: ZodError): [where: string, why: string] {
  const issue = error.issues[0]!;
  return [issue.path.join('.') || 'the file', issue.message];
}
