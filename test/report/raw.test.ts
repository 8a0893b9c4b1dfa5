import { describe, expect, it } from 'vitest';
import { renderCsv } from '../../src/report/raw.ts';
import { hostileReport, layeredReport } from './layered-report.ts';
import { sampleReport } from './sample-report.ts';

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  expect(text.endsWith('\r\n')).toBe(true);
  return text
    .slice(0, -2)
    .split('\r\n')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map((m) => m[1]?.replaceAll('""', '"') ?? m[2]!),
    );
}

describe('renderCsv', () => {
  it('has a row per tensor, as many cells as the header, and raw numbers', () => {
    const report = layeredReport(9);
    const [head, ...rows] = parseCsv(renderCsv(report));
    expect(rows).toHaveLength(report.tensors!.length);
    for (const row of rows) expect(row).toHaveLength(head!.length);
    const at = (column: string): number => head!.indexOf(column);
    expect(Number(rows[0]![at('isolated_sqnr_db')])).toBe(report.tensors![0]!.isolated!.sqnrDb);
    expect(rows[0]![at('accumulated_sqnr_db')]).toBe('');
  });

  it('keeps names in their cells and formulas out', () => {
    const [head, ...rows] = parseCsv(renderCsv(hostileReport()));
    for (const row of rows) {
      expect(row).toHaveLength(head!.length);
      expect(row[0]).not.toMatch(/^[=+@-]/);
    }
    expect(rows.map(([name]) => name)).toContain(`'=HYPERLINK("x")`);
  });

  it('is a header alone without tensors', () => {
    expect(parseCsv(renderCsv(sampleReport()))).toHaveLength(1);
  });
});
