/** The HTML report as text: whole, small, without anything from outside. What it looks like is judged in html.browser.test.ts. */
import { describe, expect, it } from 'vitest';
import { renderHtml } from '../../src/report/html/index.ts';
import { linear, niceTicks } from '../../src/report/html/plot.ts';
import { script } from '../../src/report/html/assets.ts';
import { sections } from '../../src/report/html/sections/index.ts';
import { hostileReport, layeredReport } from './layered-report.ts';
import { sampleReport } from './sample-report.ts';

describe('renderHtml', () => {
  it('stays small: 2 MB for 300 layers, 10 kB of script', () => {
    expect(renderHtml(layeredReport(300)).length).toBeLessThan(2_000_000);
    expect(script.length).toBeLessThan(10_000);
  });

  it('fetches nothing and names nothing to fetch', () => {
    const html = renderHtml(layeredReport(12));
    const foreign = /https?:|url\(|@import|<link|<img|\ssrc=/.exec(html.replaceAll('http://www.w3.org/2000/svg', ''));
    expect(foreign?.[0]).toBeUndefined();
    expect(html).toContain('default-src &#39;none&#39;');
  });

  it('is well formed: every element closed in its order, every attribute quoted', () => {
    for (const report of [sampleReport(), layeredReport(12), hostileReport()]) {
      for (const options of [{}, { static: true }]) checkNesting(renderHtml(report, options));
    }
  });

  it('has a section for what there is and none for what there is not', () => {
    const ids = (html: string): string[] => [...html.matchAll(/<section id="(\w+)"/g)].map(([, id]) => id!);
    expect(ids(renderHtml(layeredReport(12)))).toEqual(
      expect.arrayContaining(['along', 'scatter', 'tensors', 'sensitivity']),
    );
    expect(ids(renderHtml(sampleReport()))).toEqual(['task', 'outputs', 'cost', 'placement', 'provenance']);
    expect(new Set(sections.map(({ id }) => id)).size).toBe(sections.length);
  });

  it('draws infinities and NaN on the edge', () => {
    const report = layeredReport(6);
    const odd = [NaN, Infinity, -Infinity].flatMap((sqnrDb, i) => {
      const row = report.tensors![i + 1]!;
      return {
        ...row,
        isolated: { ...row.isolated!, sqnrDb, rmseOverScale: sqnrDb },
        accumulated: { sqnrDb, cosine: NaN },
      };
    });
    const html = renderHtml({ ...report, tensors: [...odd, ...report.tensors!] });
    expect(html).not.toMatch(/="[^"]*(NaN|Infinity)[^"]*"(?=[^>]*\/>)/);
    checkNesting(html);
  });

  it('holds up when a plot has a single point, or none', () => {
    const [one] = layeredReport(3).tensors!;
    checkNesting(renderHtml(layeredReport(3, { tensors: [one!], classes: [], task: [] })));
    checkNesting(
      renderHtml(layeredReport(3, { tensors: [], sensitivity: { ...layeredReport(3).sensitivity!, layers: [] } })),
    );
  });
});

const single = new Set(['br', 'meta', 'circle', 'line', 'path', 'polyline', 'rect']);

function checkNesting(html: string): void {
  expect(html.startsWith('<!doctype html>\n')).toBe(true);
  const body = html.slice('<!doctype html>\n'.length).replace(/<(script|style)>[^]*?<\/\1>/g, '<$1></$1>');
  const open: string[] = [];
  const tag = /<(\/?)([a-z0-9]+)((?: [a-zA-Z-][\w-]*(?:="[^"<>]*")?)*)(\/?)>/g;
  for (const [, closing, name, , self] of body.matchAll(tag)) {
    if (closing) expect(open.pop()).toBe(name);
    else if (!self && !(single.has(name!) && (name === 'br' || name === 'meta'))) open.push(name!);
  }
  expect(open).toEqual([]);
  // What is left is text: no bracket may have got through.
  expect(body.replace(tag, '')).not.toMatch(/[<>]/);
}

describe('scales', () => {
  it('give round ticks inside the domain', () => {
    expect(niceTicks(0, 47, 5)).toEqual([0, 10, 20, 30, 40]);
    expect(niceTicks(-0.3, 0.31, 4)).toEqual([-0.2, 0, 0.2]);
    expect(niceTicks(1, 1, 4)).toEqual([1]);
  });

  it('keep what lies outside on the edge', () => {
    const scale = linear([0, 10], [100, 200]);
    expect([-5, 5, 50, NaN, Infinity, -Infinity].map(scale)).toEqual([100, 150, 200, 100, 200, 100]);
  });
});
