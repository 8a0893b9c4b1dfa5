/** The HTML report where it is read: in a real browser, wide and narrow, light and dark, with scripts and without. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/compare/report.ts';
import { renderHtml } from '../../src/report/html/index.ts';
import { chromiumPath, launch } from './browser.ts';
import { attacks, hostileReport, layeredReport } from './layered-report.ts';
import { sampleReport } from './sample-report.ts';

/** The page's own world, which the compiler of a Node.js project does not know. */
type Thing = any; // oxlint-disable-line typescript/no-explicit-any
declare const document: Thing;
declare const getComputedStyle: (element: Thing) => Thing;
declare const SVGElement: Thing;

interface Opened {
  readonly page: Page;
  /** Errors, dialogs and requests beyond the file itself. */
  readonly trouble: string[];
}

const sizes = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

// A browser on a busy machine takes its time.
describe.skipIf(chromiumPath === undefined)('the HTML report in chromium', { timeout: 180_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-html-'));
  let browser: Browser;
  let files = 0;

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(html: string, options: BrowserContextOptions = {}): Promise<Opened> {
    const path = join(folder, `${files++}.html`);
    writeFileSync(path, html);
    const context = await browser.newContext({ viewport: sizes.desktop, ...options });
    const page = await context.newPage();
    const trouble: string[] = [];
    const url = pathToFileURL(path).href;
    page.on('pageerror', (error) => trouble.push(`error: ${error.message}`));
    page.on('console', (message) => trouble.push(`console: ${message.text()}`));
    page.on('dialog', (dialog) => {
      trouble.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      if (request.url() !== url) trouble.push(`request: ${request.url()}`);
    });
    await page.goto(url);
    return { page, trouble };
  }

  const reports: Record<string, Report> = {
    plain: sampleReport(),
    layered: layeredReport(24),
    deep: layeredReport(300),
    hostile: hostileReport(),
  };

  for (const [size, viewport] of Object.entries(sizes)) {
    it.each(Object.keys(reports))(`%s fits a ${size}, makes no trouble and overlaps nowhere`, async (name) => {
      const { page, trouble } = await open(renderHtml(reports[name]!), { viewport });
      const found = await page.evaluate(measure);
      expect(trouble).toEqual([]);
      expect(found.pageWidth).toBeLessThanOrEqual(viewport.width);
      expect(found.overlaps).toEqual([]);
      expect(found.outside).toEqual([]);
      expect(found.smallest).toBeGreaterThanOrEqual(size === 'phone' ? 9 : 10);
    });
  }

  it('is read without scripts as with them', async () => {
    const html = renderHtml(layeredReport(24));
    const [with_, without] = [await open(html), await open(html, { javaScriptEnabled: false })];
    const texts = async ({ page }: Opened): Promise<number> => page.locator('svg[role=img]').count();
    expect(await texts(without)).toBe(await texts(with_));
    expect(await without.page.locator('input, button').count()).toBe(0);
    expect(await without.page.locator('h2').allTextContents()).toEqual(
      await with_.page.locator('h2').allTextContents(),
    );
    const strict = await open(renderHtml(layeredReport(24), { static: true }));
    expect(await strict.page.locator('script').count()).toBe(0);
    expect(strict.trouble).toEqual([]);
  });

  it('draws the error along the graph as wide as the screen, whole', async () => {
    for (const viewport of Object.values(sizes)) {
      const { page } = await open(renderHtml(layeredReport(24)), { viewport, javaScriptEnabled: false });
      const plots = page.locator('#along svg[role=img], #along .compact svg');
      const shown: number[] = [];
      for (const plot of await plots.all()) if (await plot.isVisible()) shown.push((await plot.boundingBox())!.width);
      expect(shown).toHaveLength(1);
      expect(shown[0]).toBeLessThanOrEqual(viewport.width);
      expect(shown[0]).toBeGreaterThan(0.8 * Math.min(viewport.width, 1068));
    }
  });

  it('sorts and filters tables', async () => {
    const { page, trouble } = await open(renderHtml(layeredReport(24)));
    await page.getByText(/^All \d+ tensors$/).click();
    const table = page.locator('table', { hasText: 'Every quantized tensor' });
    const numbers = async (column: number): Promise<number[]> =>
      (await table.locator(`tbody tr td:nth-child(${column})`).allTextContents())
        .filter((text) => text !== '')
        .map(Number);
    const header = table.getByRole('button', { name: 'alone, dB' });
    await header.click();
    const down = await numbers(6);
    expect(down).toEqual([...down].sort((a, b) => b - a));
    await header.click();
    const up = await numbers(6);
    expect(up).toEqual([...up].sort((a, b) => a - b));
    expect(up[0]).toBe(4.2);
    // Tensors without a value stay at the end, whichever way.
    await table.getByRole('button', { name: 'whole, dB' }).click();
    expect(await table.locator('tbody tr td:nth-child(7)').last().textContent()).toBe('');
    await page.getByLabel(/filter rows of Every quantized tensor/).fill('conv_9/');
    expect(await table.locator('tbody tr:visible').count()).toBe(1);
    expect(trouble).toEqual([]);
  });

  it('lights the same tensor up everywhere, and tells its figures', async () => {
    const { page, trouble } = await open(renderHtml(layeredReport(24)));
    await page.locator('#along path[data-t="16"]').first().hover();
    expect(await page.locator('.hot[data-t="16"]').count()).toBeGreaterThan(2);
    expect(await page.locator('#tip').textContent()).toContain('/layer3/conv_9/output');
    await page.locator('h1').hover();
    expect(await page.locator('.hot').count()).toBe(0);
    expect(await page.locator('#tip').isVisible()).toBe(false);
    expect(trouble).toEqual([]);
  });

  it('shows hostile names as they are and runs nothing of them', async () => {
    const { page, trouble } = await open(renderHtml(hostileReport()));
    const found = await page.evaluate(() => ({
      scripts: document.scripts.length,
      images: document.images.length,
      handlers: [...document.querySelectorAll('*')].flatMap((element) =>
        [...element.attributes].filter(({ name }) => name.startsWith('on')).map(({ name }) => name),
      ),
      text: document.body.textContent,
    }));
    expect(found).toMatchObject({ scripts: 1, images: 0, handlers: [] });
    for (const attack of attacks.slice(0, 5)) expect(found.text).toContain(attack);
    for (const cell of await page
      .locator('th button, [data-t]')
      .all()
      .then((all) => all.slice(0, 40)))
      await cell.dispatchEvent('mouseover');
    expect(trouble).toEqual([]);
  });

  it('is legible in the dark: every text stands out from its ground', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page } = await open(renderHtml(layeredReport(24)), { colorScheme });
      // WCAG 2: 4.5 for text.
      expect(await page.evaluate(faintest)).toBeGreaterThanOrEqual(4.5);
    }
  });
});

/** Runs in the page. Texts of a plot must not cover one another, nor leave the plot; sizes in pixels of the screen. */
function measure(): { pageWidth: number; overlaps: string[]; outside: string[]; smallest: number } {
  const overlaps: string[] = [];
  const outside: string[] = [];
  let smallest = Infinity;
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    const frame = svg.getBoundingClientRect();
    if (frame.width === 0) continue;
    const texts = [...svg.querySelectorAll('text')].map((text: Thing) => ({
      text: text.textContent ?? '',
      box: text.getBoundingClientRect(),
      turned: text.hasAttribute('transform'),
    }));
    for (const [i, { text, box, turned }] of texts.entries()) {
      if (!turned) smallest = Math.min(smallest, box.height);
      if (
        box.left < frame.left - 1 ||
        box.right > frame.right + 1 ||
        box.top < frame.top - 1 ||
        box.bottom > frame.bottom + 1
      )
        outside.push(`${text} | ${svg.getAttribute('aria-label')}`);
      for (const other of texts.slice(i + 1)) {
        const wide = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const high = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        // Line boxes are taller than letters: a touch of a few pixels covers nothing.
        if (wide > 1 && high > box.height * 0.35)
          overlaps.push(`${text} / ${other.text} | ${svg.getAttribute('aria-label')}`);
      }
    }
  }
  return { pageWidth: document.documentElement.scrollWidth, overlaps, outside, smallest };
}

/** Runs in the page. The least contrast of any text with the ground it stands on. */
function faintest(): number {
  const channel = (value: number): number =>
    value <= 0.04045 * 255 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = (color: string): number => {
    const [r, g, b] = (color.match(/[\d.]+/g) ?? []).map(Number);
    return 0.2126 * channel(r!) + 0.7152 * channel(g!) + 0.0722 * channel(b!);
  };
  const ground = (element: Thing): string => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (color !== 'rgba(0, 0, 0, 0)') return color;
    }
    return 'rgb(255, 255, 255)';
  };
  let least = Infinity;
  for (const element of document.querySelectorAll(
    'h1, h2, h3, p, td, th, li, a, figcaption, summary, svg text, code',
  )) {
    if (element.textContent === '' || element.getClientRects().length === 0) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(element instanceof SVGElement ? style.fill : style.color), luminance(ground(element))];
    least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return least;
}
