/** The raw figures of a report: everything as JSON, and the tensors as CSV (RFC 4180, UTF-8, a header line). */
import { canonicalJson, type Report, type TensorRow } from '../compare/report.ts';
import { withoutTimes } from '../compare/verdict.ts';
import type { Renderer } from './renderer.ts';
import { csvText } from './escape.ts';

type Value = string | number | null | undefined;

const columns: readonly (readonly [name: string, read: (row: TensorRow) => Value])[] = [
  ['name', ({ name }) => name],
  ['origin', ({ origin }) => origin],
  ['node', ({ node }) => node],
  ['op', ({ op }) => op],
  ['kind', ({ kind }) => kind],
  ['bits', ({ bits }) => bits],
  ['scheme', ({ scheme }) => scheme],
  ['axis', ({ axis }) => axis],
  ['scale_min', ({ scale }) => scale?.min],
  ['scale_max', ({ scale }) => scale?.max],
  ['isolated_sqnr_db', ({ isolated }) => isolated?.sqnrDb],
  ['rmse_over_scale', ({ isolated }) => isolated?.rmseOverScale],
  ['saturated_pct', ({ isolated }) => isolated?.saturatedPct],
  ['zeroed_pct', ({ isolated }) => isolated?.zeroedPct],
  ['accumulated_sqnr_db', ({ accumulated }) => accumulated?.sqnrDb],
  ['accumulated_cosine', ({ accumulated }) => accumulated?.cosine],
  ['min', ({ range }) => range?.min],
  ['max', ({ range }) => range?.max],
  ['clip_min', ({ range }) => range?.clipMin],
  ['clip_max', ({ range }) => range?.clipMax],
  ['p0.1', ({ range }) => range?.p01],
  ['p99.9', ({ range }) => range?.p999],
  ['channels', ({ channels }) => channels?.count],
  ['channel_spread', ({ channels }) => channels?.spread],
];

/** A report without layer data gives the header alone. */
export function renderCsv({ tensors = [] }: Report): string {
  const rows = tensors.map((row) => columns.map(([, read]) => cell(read(row))));
  return [columns.map(([name]) => name), ...rows].map((cells) => `${cells.join(',')}\r\n`).join('');
}

function cell(value: Value): string {
  return typeof value === 'string' ? csvText(value) : value === null || value === undefined ? '' : String(value);
}

export const csv: Renderer = {
  format: 'csv',
  extension: '.csv',
  describe: 'the tensors as a table',
  render: renderCsv,
};

/** The report as JSON: sorted keys, raw numbers, the same text as the file that `--report` writes. */
export function renderJson(report: Report, { reproducible = false }: { readonly reproducible?: boolean } = {}): string {
  return canonicalJson(reproducible ? withoutTimes(report) : report);
}

export const json: Renderer = {
  format: 'json',
  extension: '.json',
  describe: 'everything, raw: what --report writes',
  render: (report) => renderJson(report),
};
