import { describe, expect, it } from 'vitest';
import { renderAnnotations } from '../../src/report/annotations.ts';
import { hostileReport, layeredReport } from './layered-report.ts';
import { sampleReport } from './sample-report.ts';

describe('renderAnnotations', () => {
  it('writes one command per line, and at most eight of a kind', () => {
    const lines = renderAnnotations(hostileReport()).split('\n').slice(0, -1);
    for (const line of lines) expect(line).toMatch(/^::(error|warning|notice) title=[^:,]*::[^\r\n]*$/);
    const errors = lines.filter((line) => line.startsWith('::error'));
    expect(errors).toHaveLength(8);
    expect(errors.at(-1)).toMatch(/::and \d+ others: see the report$/);
    // A percent sign stands only for an escape.
    for (const line of lines) expect(line.replace(/%(25|3A|2C)/g, '')).not.toContain('%');
  });

  it('is a notice alone when all is well', () => {
    expect(renderAnnotations(sampleReport())).toMatch(/^::notice [^\n]*no gates set\n$/);
  });

  it('leaves gates that are off out', () => {
    expect(renderAnnotations(layeredReport())).not.toContain('size.ratio');
  });
});
