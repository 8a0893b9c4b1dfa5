/**
 * The report on a terminal: the verdict first, then what decided it, then the details, the next action last. A pure function of
 * the report; 80 columns unless told otherwise.
 */
import type { Report } from '../compare/report.ts';
import { palette, type Palette } from './ansi.ts';
import {
  bytes,
  clean,
  digits,
  distinct,
  inUnit,
  milliseconds,
  percent,
  plural,
  points,
  probability,
  wrap,
} from './format.ts';
import { healthLines } from './health.ts';
import { table } from './table.ts';

export interface TerminalOptions {
  readonly color: boolean;
  /** Columns; default 80. */
  readonly width?: number;
  /** The verdict line only. */
  readonly quiet?: boolean;
  /** Where the JSON report was written. */
  readonly reportPath?: string;
}

interface Context {
  readonly report: Report;
  readonly ink: Palette;
  readonly width: number;
}

/** Rows of a list before it is cut; the JSON report has all. */
const most = { outputs: 8, reasons: 6, names: 6 };

/** Text with a final newline. */
export function renderTerminal(
  report: Report,
  { color, width = 80, quiet = false, reportPath }: TerminalOptions,
): string {
  const context: Context = { report, ink: palette(color), width: Math.max(60, width) };
  if (quiet) return `${verdictLine(context)}\n`;
  const sections = [
    [verdictLine(context), ...loudWarnings(context), costLine(context)],
    gateLines(context),
    taskLines(context),
    outputLines(context),
    placementLines(context),
    calibrationLines(context),
    [...warningLines(context), ...(reportPath === undefined ? [] : [` report: ${clean(reportPath)}`])],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function verdictLine({ report, ink, width }: Context): string {
  const paint = { pass: ink.green, warn: ink.yellow, fail: ink.red }[report.verdict];
  const models = `${baseName(report.models.float.path)} -> ${baseName(report.models.quant.path)}`;
  const text = wrap(clean(`${models}: ${because(report)}`), width - 7).join(`\n${' '.repeat(7)}`);
  return `${ink.bold(ink.inverse(paint(` ${report.verdict.toUpperCase()} `)))} ${ink.bold(text)}`;
}

/** The verdict in words. */
function because({ verdict, gates, outputs, warnings }: Report): string {
  const missed = (wanted: string): number => gates.filter(({ pass, level }) => !pass && level === wanted).length;
  const [failed, warned] = [missed('error'), missed('warn')];
  const reasons: string[] = [];
  if (failed > 0) reasons.push(`${failed} of ${plural(gates.length, 'gate')} failed`);
  if (warned > 0) reasons.push(`${plural(warned, 'gate')} warned`);
  if (failed + warned === 0 && gates.length > 0)
    reasons.push(gates.length === 1 ? 'the gate passed' : `all ${gates.length} gates passed`);
  if (outputs.some(({ nonFinite }) => nonFinite > 0)) reasons.push('output is not finite');
  if (warnings.some(({ code }) => code === 'SLOWER')) reasons.push('slower than float');
  if (warnings.some(({ code }) => code === 'SYNTHETIC_DATA')) reasons.push('accuracy on synthetic data only');
  if (reasons.length > 0) return reasons.join(', ');
  return verdict === 'pass' ? 'no gates set' : verdict;
}

function baseName(path: string): string {
  return path.split(/[\\/]/).at(-1) ?? path;
}

function costLine({ report: { cost, environment } }: Context): string {
  const ratio = cost.ratio >= 1 ? `${digits(cost.ratio, 3)}x smaller` : `${digits(1 / cost.ratio, 3)}x larger`;
  const size = ` size ${bytes(cost.bytesFloat)} -> ${bytes(cost.bytesQuant)} (${ratio})`;
  if (!cost.latencyMs) return size;
  const { float, quant, speedup } = cost.latencyMs;
  const pace = speedup >= 1 ? `${digits(speedup, 3)}x faster` : `${digits(1 / speedup, 3)}x slower`;
  const threads = plural(environment.threads, 'thread');
  return `${size}\n latency ${milliseconds(float.p50)} -> ${milliseconds(quant.p50)} (${pace}, ${threads})`;
}

function gateLines({ report, ink, width }: Context): string[] {
  if (report.gates.length === 0) return [];
  const rows = report.gates.map(({ id, level, op, bound, value, unit, pass }) => {
    const [shown, limit] = distinct(value, bound, unit);
    const mark = pass
      ? { text: 'ok', paint: ink.green }
      : level === 'warn'
        ? { text: 'warn', paint: ink.yellow }
        : { text: 'FAIL', paint: ink.red };
    return [mark, id.slice(0, id.lastIndexOf(` ${op} `)), `${op} ${limit}`, shown];
  });
  const lines = table([['', 'gate', 'bound', 'measured'], ...rows], {
    width,
    header: ink.dim,
    left: [0, 1],
    flexible: 1,
  });
  report.gates.forEach(({ hint }, index) => {
    if (hint !== undefined) lines[index + 1] += `\n${indented(`hint: ${hint}`, 7, width)}`;
  });
  return lines;
}

function taskLines({ report, ink, width }: Context): string[] {
  if (report.task.length === 0) return [];
  const rows = report.task.map(({ metric, float, quant, delta, ci95: [low, high], paired, p }) => [
    metric,
    percent(float),
    percent(quant),
    points(delta),
    `${points(low)} to ${points(high)}`,
    `${paired.onlyFloat}/${paired.onlyQuant}`,
    probability(p),
  ]);
  const head = [
    `task (${plural(report.task[0]!.n, 'sample')})`,
    'float',
    'quant',
    'change',
    '95% interval',
    'lost/won',
    'p',
  ];
  return table([head, ...rows], { width, header: ink.dim });
}

function outputLines({ report, ink, width }: Context): string[] {
  const worstFirst = [...report.outputs].sort((a, b) => (a.sqnrDb < b.sqnrDb ? -1 : a.sqnrDb > b.sqnrDb ? 1 : 0));
  const rows = worstFirst
    .slice(0, most.outputs)
    .map((row) => [
      row.name,
      row.nonFinite > 0 ? { text: 'not finite', paint: ink.red } : inUnit(row.sqnrDb, 'dB'),
      inUnit(row.cosine, 'a cosine'),
      digits(row.maxAbs, 3),
      digits(row.meanAbs, 3),
      row.argmaxAgreement === null ? '-' : inUnit(row.argmaxAgreement, 'fraction'),
    ]);
  const samples = `output (${plural(report.data.evaluation.n, 'sample')})`;
  const head = [samples, 'SQNR', 'cosine', 'max error', 'mean error', 'agreement'];
  const hidden = worstFirst.length - rows.length;
  return [
    ...table([head, ...rows], { width, header: ink.dim }),
    ...(hidden > 0 ? [`   and ${hidden} better ones`] : []),
  ];
}

/** Where the nodes run, and the float ones by reason: many nodes share few reasons. */
function placementLines({ report: { placement, nodes }, ink, width }: Context): string[] {
  const lines = [
    ` runs ${plural(placement.int8, 'node')} in int8, ${placement.float} in float, ${plural(placement.conversions, 'conversion')} between them`,
  ];
  const groups = new Map<string, string[]>();
  const notFusedFirst = [...nodes].sort((a, b) => Number(a.placement === 'float') - Number(b.placement === 'float'));
  for (const { name, op, placement: where, reason } of notFusedFirst) {
    const key = `${where === 'float' ? 'float' : 'not fused'}: ${reason}`;
    groups.set(key, [...(groups.get(key) ?? []), `${name} (${op})`]);
  }
  const shown = [...groups].slice(0, most.reasons);
  for (const [reason, names] of shown) {
    const listed = names.slice(0, most.names).join(', ');
    const hidden = names.length - most.names;
    lines.push(indented(`${names.length} ${reason}`, 3, width));
    lines.push(ink.dim(indented(`${listed}${hidden > 0 ? ` and ${hidden} more` : ''}`, 5, width)));
  }
  const hidden = nodes.length - shown.reduce((sum, [, names]) => sum + names.length, 0);
  if (hidden > 0 || shown.some(([, names]) => names.length > most.names)) {
    lines.push(
      `   ${hidden > 0 ? `${plural(hidden, 'node')} with other reasons; ` : ''}the JSON report lists every node`,
    );
  }
  return lines;
}

function calibrationLines({ report: { data }, width }: Context): string[] {
  const health = data.calibration?.health;
  return health ? healthLines(health, width) : [];
}

/** What makes the figures themselves doubtful stands right under the verdict. */
const loud = new Set(['SYNTHETIC_DATA', 'NOT_FINITE']);

function loudWarnings({ report, ink, width }: Context): string[] {
  return report.warnings
    .filter(({ code }) => loud.has(code))
    .map(({ message }) => ink.bold(ink.yellow(indented(`WARNING: ${message}`, 1, width))));
}

function warningLines({ report, ink, width }: Context): string[] {
  return report.warnings
    .filter(({ code }) => !loud.has(code))
    .map(({ message }) => indented(`warning: ${message}`, 1, width).replace('warning:', ink.yellow('warning:')));
}

/** Wrapped text; lines after the first stand two further in. */
function indented(text: string, indent: number, width: number): string {
  return wrap(clean(text), width - indent - 2)
    .map((line, index) => ' '.repeat(indent + (index > 0 ? 2 : 0)) + line)
    .join('\n');
}
