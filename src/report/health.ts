/** What a calibration told of itself, in a few lines: for the report on a terminal and for `qdq calibrate`. */
import type { Report } from '../compare/report.ts';
import { clean, digits, inUnit, plural, wrap } from './format.ts';

type Health = NonNullable<NonNullable<Report['data']['calibration']>['health']>;

/** Tensors named per line; the JSON has all. */
const most = 3;

/** Lines without color, nothing beyond the first when all is well. */
export function healthLines({ samples, tensors, growing, outliers, dead, constant }: Health, width: number): string[] {
  const findings = [
    finding(growing, 'still growing', ({ share }) => inUnit(share, 'fraction'), 'more samples may widen them'),
    finding(outliers, 'with outliers', ({ ratio }) => `${digits(ratio, 3)}x`, 'an observer that clips may help'),
    finding(dead, 'with dead channels', share, 'always 0'),
    finding(constant, 'with constant channels', share, 'one value throughout'),
  ].filter((line) => line !== undefined);
  const head = ` calibrated on ${plural(samples, 'sample')}, ${plural(tensors, 'tensor')}${findings.length === 0 ? ': ranges settled' : ''}`;
  return [
    head,
    ...findings.flatMap((line) => wrap(clean(line), width - 5).map((part, i) => (i === 0 ? '   ' : '     ') + part)),
  ];
}

function share({ channels, of }: { readonly channels: number; readonly of: number }): string {
  return `${channels} of ${of}`;
}

function finding<T extends { readonly tensor: string }>(
  found: readonly T[],
  what: string,
  measure: (each: T) => string,
  meaning: string,
): string | undefined {
  if (found.length === 0) return undefined;
  const names = found.slice(0, most).map((each) => `${each.tensor} (${measure(each)})`);
  const hidden = found.length - names.length;
  return `${found.length} ${what} (${meaning}): ${names.join(', ')}${hidden > 0 ? ` and ${hidden} more` : ''}`;
}
