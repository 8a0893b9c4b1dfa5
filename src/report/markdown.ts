/**
 * The report as GitHub-flavoured Markdown, for pull requests and job summaries: verdict, gates, cost and task in sight, the rest
 * folded. Never more than 60 kB (a comment takes 64 kB): tables give way from the bottom, and say how many rows they left out.
 */
import type { Report } from '../compare/report.ts';
import { markdownName, markdownText } from './escape.ts';
import { digits, inUnit, milliseconds, plural, probability, shorten } from './format.ts';
import type { Renderer } from './renderer.ts';
import {
  because,
  gateWords,
  improvementWords,
  latencyWords,
  likelyCause,
  modelNames,
  sizeWords,
  taskFormats,
  trainingWords,
  worstTensors,
} from './words.ts';

/** Bytes of UTF-8. */
export const markdownLimit = 60_000;

/** Rows that each table may have; the first that fits is taken. */
const rowLimits = [50, 20, 10, 5, 2, 0];
const mostTensors = 10;

export function renderMarkdown(report: Report): string {
  let text = '';
  for (const rows of rowLimits) {
    text = [
      heading(report),
      cost(report),
      gates(report, rows),
      task(report, rows),
      cause(report),
      training(report),
      improvements(report),
      outputs(report, rows),
      tensors(report, Math.min(rows, mostTensors)),
      sensitivity(report, rows),
      placement(report, rows),
      profile(report, rows),
      baseline(report, rows),
      warnings(report, rows),
      footer(report),
    ]
      .filter((part) => part !== '')
      .join('\n\n');
    if (new TextEncoder().encode(text).length < markdownLimit) break;
  }
  return `${text}\n`;
}

const signs = { pass: '✅', warn: '⚠️', fail: '❌' } as const;
const marks = { ok: '✅', FAIL: '❌', warn: '⚠️', off: '➖' } as const;

/** Long names would eat the limit; both ends are kept. */
const named = (text: string): string => markdownName(shorten(text, 120));
const told = (text: string): string => markdownText(shorten(text, 600));

function heading(report: Report): string {
  const [float, quant] = modelNames(report).map(named);
  return `### ${signs[report.verdict]} ${report.verdict.toUpperCase()}: ${told(because(report))}\n\n${float} → ${quant}`;
}

function cost(report: Report): string {
  const latency = latencyWords(report, '→');
  return `**size** ${sizeWords(report, '→')}${latency === undefined ? '' : ` · **latency** ${latency}`}`;
}

function gates(report: Report, most: number): string {
  const rows = report.gates.map((row) => {
    const { status, name, bound, measured } = gateWords(row);
    return [marks[status], named(name), bound.replace('<', '&lt;'), measured, told(row.hint ?? '')];
  });
  return table(['', 'gate', 'bound', 'measured', 'hint'], rows, Math.max(most, 1), 'llrr');
}

function task({ task }: Report, most: number): string {
  const rows = task.map((row) => {
    const { value, change } = taskFormats(row);
    return [
      named(row.metric),
      value(row.float),
      value(row.quant),
      change(row.delta),
      row.ci95 ? `${change(row.ci95[0])} to ${change(row.ci95[1])}` : '',
      row.paired ? `${row.paired.onlyFloat}/${row.paired.onlyQuant}` : '',
      row.p === undefined ? '' : probability(row.p),
      String(row.n),
    ];
  });
  const head = ['task', 'float', 'quant', 'change', '95 % interval', 'lost/won', 'p', 'samples'];
  return table(head, rows, Math.max(most, 1), 'lrrrrrrr');
}

function cause(report: Report): string {
  const found = likelyCause(report);
  if (!found) return '';
  const remedy = found.tryFlag === undefined ? '' : ` **Try** ${named(found.tryFlag)}`;
  return `**Likely cause:** ${told(found.text)}${remedy}`;
}

function training({ training: found }: Report): string {
  return found ? `**trained** ${told(trainingWords(found))}` : '';
}

function improvements({ improvements: found = [] }: Report): string {
  return found.map((each) => told(improvementWords(each))).join('\n\n');
}

function outputs({ outputs, texts = [], data }: Report, most: number): string {
  const rows = outputs.map((row) => [
    named(row.name),
    row.nonFinite > 0 ? 'not finite' : inUnit(row.sqnrDb, 'dB'),
    inUnit(row.cosine, 'a cosine'),
    digits(row.maxAbs, 3),
    digits(row.meanAbs, 3),
    row.argmaxAgreement === null ? '' : inUnit(row.argmaxAgreement, 'fraction'),
  ]);
  const equal = texts.map((row) => [named(row.name), '', '', '', '', inUnit(row.agreement, 'fraction')]);
  const head = ['output', 'SQNR', 'cosine', 'max error', 'mean error', 'agreement'];
  return folded(`Outputs (${plural(data.evaluation.n, 'sample')})`, table(head, [...rows, ...equal], most, 'lrrrrr'));
}

function tensors(report: Report, most: number): string {
  const rows = worstTensors(report.tensors ?? []).map(({ node, op, kind, isolated, accumulated, ...row }) => [
    named(row.origin ?? row.name),
    named(node),
    `${kind} of ${named(op)}`,
    inUnit(isolated!.sqnrDb, 'dB', 1),
    accumulated ? inUnit(accumulated.sqnrDb, 'dB', 1) : '',
    digits(isolated!.rmseOverScale, 3),
    `${isolated!.saturatedPct.toFixed(2)}%`,
  ]);
  const head = ['tensor', 'node', 'kind', 'SQNR alone', 'SQNR whole', 'rmse/scale', 'saturated'];
  return folded('Worst tensors', table(head, rows, most, 'lllrrrr'));
}

function sensitivity({ sensitivity: found }: Report, most: number): string {
  if (!found) return '';
  const { layers, metric, unit, exclude, spearman } = found;
  const measured = (value: number | undefined): string => (value === undefined ? '' : inUnit(value, unit));
  const rows = layers.map(({ node, op, alone, leftFloat }) => [
    named(node),
    named(op),
    measured(alone),
    measured(leftFloat),
  ]);
  const body = [
    table(['layer', 'op', `${metric} with it alone`, `${metric} with it float`], rows, most, 'llrr'),
    spearman === undefined ? '' : `Rank correlation of the estimate with the measurement: ${spearman.toFixed(2)}`,
    exclude && exclude.length > 0 ? `Leave float: ${exclude.slice(0, 20).map(named).join(', ')}` : '',
  ];
  return folded('Sensitivity', body.filter((part) => part !== '').join('\n\n'));
}

function placement({ placement: counts, nodes }: Report, most: number): string {
  const { int8, float, conversions } = counts;
  const rows = nodes.map(({ name, op, placement: where, reason }) => [named(name), named(op), where, told(reason)]);
  const title = `${int8} nodes in int8, ${float} in float, ${plural(conversions, 'conversion')} between them`;
  return folded(title, table(['node', 'op', 'runs', 'why'], rows, most));
}

function profile({ profile: found }: Report, most: number): string {
  if (!found) return '';
  const rows = found.ops.map(({ op, floatMs, quantMs }) => [named(op), milliseconds(floatMs), milliseconds(quantMs)]);
  return folded('Latency by operator', table(['operator', 'float', 'quant'], rows, most, 'lrr'));
}

function baseline({ baseline: found }: Report, most: number): string {
  if (!found) return '';
  const rows = found.changes
    .filter((row) => row.now !== row.baseline)
    .map(({ metric, unit, baseline: before, now }) => [named(metric), inUnit(before, unit), inUnit(now, unit)]);
  const body = rows.length === 0 ? 'Nothing changed.' : table(['metric', 'baseline', 'now'], rows, most, 'lrr');
  return folded(`Against the baseline ${named(found.path)}`, body);
}

function warnings({ warnings }: Report, most: number): string {
  const lines = warnings.slice(0, Math.max(most, 1)).map(({ message }) => `- ${told(message)}`);
  const hidden = warnings.length - lines.length;
  return [...lines, ...(hidden > 0 ? [`- _${plural(hidden, 'warning')} omitted_`] : [])].join('\n');
}

function footer({ tool, environment, data }: Report): string {
  const { ort, cpu, threads } = environment;
  const made = `${tool.name} ${tool.version}, onnxruntime ${ort}, ${plural(threads, 'thread')} of ${cpu}`;
  return `<sub>${markdownText(made)}; ${plural(data.evaluation.n, 'sample')} of ${named(data.evaluation.source)}</sub>`;
}

function folded(title: string, body: string): string {
  return body === '' ? '' : `<details><summary>${title}</summary>\n\n${body}\n\n</details>`;
}

/** @param align a letter per column, l or r; default l */
function table(head: readonly string[], rows: readonly (readonly string[])[], most: number, align = ''): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (align[column] === 'r' ? '---:' : '---'));
  const shown = rows.slice(0, most);
  const hidden = rows.length - shown.length;
  const note = hidden > 0 ? [`\n_${plural(hidden, 'row')} omitted_`] : [];
  return [...(shown.length > 0 ? [line(head), line(rule), ...shown.map(line)] : []), ...note].join('\n');
}

export const markdown: Renderer = {
  format: 'markdown',
  extension: '.md',
  describe: 'for pull requests and job summaries, at most 60 kB',
  render: renderMarkdown,
};
