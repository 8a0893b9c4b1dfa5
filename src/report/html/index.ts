/**
 * The report as one HTML file: no network, no fonts, plots drawn as static SVG, readable without its script and without its style.
 * Everything a model says passes through `el` and is escaped.
 */
import type { Report } from '../../compare/report.ts';
import type { Renderer, RenderOptions } from '../renderer.ts';
import { because, modelNames } from '../words.ts';
import { el, trusted } from './markup.ts';
import { script, style } from './assets.ts';
import { sections } from './sections/index.ts';
import { verdictStrip } from './sections/verdict.ts';

export function renderHtml(report: Report, options: Pick<RenderOptions, 'static'> = {}): string {
  const shown = sections.flatMap(({ render, ...section }) => {
    const body = render(report);
    return body === undefined || body === false ? [] : [{ ...section, body }];
  });
  const [, quant] = modelNames(report);
  const page = el(
    'html',
    { lang: 'en' },
    el(
      'head',
      {},
      el('meta', { charset: 'utf-8' }),
      el('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
      el('meta', { name: 'referrer', content: 'no-referrer' }),
      el('meta', { 'http-equiv': 'Content-Security-Policy', content: policy(options) }),
      el('title', {}, `${report.verdict.toUpperCase()}: ${quant}: ${because(report)}`),
      el('style', {}, trusted(style)),
    ),
    el(
      'body',
      {},
      verdictStrip(report),
      el(
        'nav',
        { 'aria-label': 'contents' },
        el(
          'ul',
          {},
          shown.map(({ id, title }) => el('li', {}, el('a', { href: `#${id}` }, title))),
        ),
      ),
      el(
        'main',
        {},
        shown.map(({ id, title, lead, body }) =>
          el('section', { id }, el('h2', {}, title), lead !== undefined && el('p', { class: 'lead' }, lead), body),
        ),
      ),
      el('footer', {}, `Made by ${report.tool.name} ${report.tool.version}. This file needs no network.`),
      options.static !== true && el('script', {}, trusted(script)),
    ),
  );
  return `<!doctype html>\n${page.text}\n`;
}

/** A second wall behind escaping: nothing is loaded from anywhere. */
function policy({ static: withoutScript }: Pick<RenderOptions, 'static'>): string {
  return `default-src 'none'; style-src 'unsafe-inline'${withoutScript === true ? '' : "; script-src 'unsafe-inline'"}`;
}

export const html: Renderer = {
  format: 'html',
  extension: '.html',
  describe: 'one file with plots, for browsers',
  render: renderHtml,
};
