/** What every renderer promises: the same text as ever (golden), and nothing that a model says can leave its place. */
import { describe, expect, it } from 'vitest';
import { reportSchema } from '../../src/compare/report.ts';
import { findRenderer, renderers, rendererOf } from '../../src/report/index.ts';
import { settings } from '../../src/settings/settings.ts';
import type { Renderer } from '../../src/report/renderer.ts';
import { golden } from './golden.ts';
import { hostileReport, layeredReport } from './layered-report.ts';
import { sampleReport } from './sample-report.ts';

const all: readonly Renderer[] = renderers;
const extensionOf = ({ extension, format }: Renderer): string => extension ?? `.${format}`;

describe.each(all)('$format', (renderer) => {
  it('is golden with every section and with the fewest', () => {
    golden(`layered${extensionOf(renderer)}`, renderer.render(layeredReport(3), {}));
    golden(`plain${extensionOf(renderer)}`, renderer.render(sampleReport(), {}));
  });

  it('lets no control or direction-changing character through', () => {
    const text = renderer.render(hostileReport(), {});
    // JSON escapes what it must, and is read by machines.
    const forbidden =
      renderer.format === 'json' ? /[\u0000-\u0009\u000b-\u001f]/ : /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u202e]/;
    expect(forbidden.exec(text)?.index).toBeUndefined();
  });

  it('changes nothing in the report', () => {
    const report = hostileReport();
    const before = JSON.stringify(report);
    renderer.render(report, {});
    expect(JSON.stringify(report)).toBe(before);
  });
});

describe('the registry', () => {
  it('are what --format of report takes', () => {
    expect(settings.renderAs.choices).toEqual(renderers.map(({ format }) => format));
  });

  it('finds renderers by name and by file', () => {
    expect(new Set(all.map(({ format }) => format)).size).toBe(all.length);
    for (const renderer of all) {
      expect(findRenderer(renderer.format)).toBe(renderer);
      if (renderer.extension !== undefined)
        expect(rendererOf(`out/R${renderer.extension.toUpperCase()}`)).toBe(renderer);
    }
    expect(rendererOf('report.dat')).toBeUndefined();
  });
});

describe('the made-up reports', () => {
  it.each([sampleReport(), layeredReport(300), hostileReport()])('are valid', (report) => {
    expect(reportSchema.safeParse(JSON.parse(JSON.stringify(report))).error).toBeUndefined();
  });
});
