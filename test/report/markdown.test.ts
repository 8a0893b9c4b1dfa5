import { describe, expect, it } from 'vitest';
import { markdownLimit, renderMarkdown } from '../../src/report/markdown.ts';
import { attacks, hostileReport, layeredReport } from './layered-report.ts';
import { sampleReport } from './sample-report.ts';

const bytesOf = (text: string): number => Buffer.byteLength(text);

describe('renderMarkdown', () => {
  it('stays under the limit of a comment and says what it left out', () => {
    const outputs = Array.from({ length: 3000 }, (_, i) => ({
      ...sampleReport().outputs[0]!,
      name: `é/output_${i}/${'x'.repeat(200)}`,
    }));
    const text = renderMarkdown(layeredReport(300, { outputs }));
    expect(bytesOf(text)).toBeLessThan(markdownLimit);
    expect(text).toMatch(/_29\d\d rows omitted_/);
    expect(text).toContain('FAIL');
  });

  it('stays under it whatever there is of warnings and gates', () => {
    const long = 'w'.repeat(5000);
    const warnings = Array.from({ length: 500 }, () => ({ code: 'MADE', message: long }));
    const [gate] = layeredReport().gates;
    const gates = Array.from({ length: 800 }, (_, i) => ({
      ...gate!,
      id: `output[${long}${i}].sqnr <= 2%`,
      hint: long,
    }));
    const text = renderMarkdown(sampleReport({ warnings, gates }));
    expect(bytesOf(text)).toBeLessThan(markdownLimit);
    expect(text).toMatch(/warnings omitted/);
    expect(text).toMatch(/rows omitted/);
  });

  it('keeps every table whole and every name harmless', () => {
    const text = renderMarkdown(hostileReport());
    const tables = text.split('\n').filter((line) => line.startsWith('|'));
    // Entities hide the pipes of names, so every bar is a border: as many as in the rule of its table.
    let borders = 0;
    for (const [i, line] of tables.entries()) {
      const bars = line.split('|').length;
      if (tables[i + 1]?.startsWith('| -')) borders = bars;
      expect(bars).toBe(borders);
    }
    for (const attack of attacks.filter((each) => /[<`]/.test(each))) expect(text).not.toContain(attack);
    expect(text).not.toMatch(/<(script|img|\/title)|]\(javascript|(^|[^&#\d;])@everyone/m);
  });

  it('has no section for what was not measured', () => {
    const text = renderMarkdown(sampleReport());
    for (const title of ['Sensitivity', 'Worst tensors', 'Latency by operator', 'baseline'])
      expect(text).not.toContain(title);
  });
});
