/**
 * The report on a terminal: the verdict first, then what decided it, then the details, the next action last. A pure function of
 * the report; 80 columns unless told otherwise.
 */
import type { Report } from '../compare/report.ts';
import { palette, type Palette, table } from './terminal-table.ts';
import { clean, digits, inUnit, milliseconds, plural, probability, wrap } from './format.ts';
import { healthLines } from './health.ts';
import { indented, reasonLines } from './reasons.ts';
import type { Renderer } from './renderer.ts';
import {
  gateWords,
  improvementWords,
  latencyWords,
  modelNames,
  because,
  sizeWords,
  taskFormats,
  trainingWords,
  worstTensors,
} from './words.ts';

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
const most = { outputs: 8, tensors: 5, causes: 2, operators: 6 };

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
    tensorLines(context),
    causeLines(context),
    trainingLines(context),
    placementLines(context),
    calibrationLines(context),
    improvementLines(context),
    profileLines(context),
    [...warningLines(context), ...(reportPath === undefined ? [] : [` report: ${clean(reportPath)}`])],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function verdictLine({ report, ink, width }: Context): string {
  const paint = { pass: ink.green, warn: ink.yellow, fail: ink.red }[report.verdict];
  const models = modelNames(report).join(' -> ');
  const text = wrap(clean(`${models}: ${because(report)}`), width - 7).join(`\n${' '.repeat(7)}`);
  return `${ink.bold(ink.inverse(paint(` ${report.verdict.toUpperCase()} `)))} ${ink.bold(text)}`;
}

function costLine({ report }: Context): string {
  const latency = latencyWords(report);
  return ` size ${sizeWords(report)}${latency === undefined ? '' : `\n latency ${latency}`}`;
}

function gateLines({ report, ink, width }: Context): string[] {
  if (report.gates.length === 0) return [];
  const paints = { ok: ink.green, FAIL: ink.red, warn: ink.yellow, off: ink.dim };
  const rows = report.gates.map((row) => {
    const { status, name, bound, measured } = gateWords(row);
    return [{ text: status, paint: paints[status] }, name, bound, measured];
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
  const rows = report.task.map((row) => {
    const { metric, float, quant, delta, ci95, paired, p } = row;
    const { value, change } = taskFormats(row);
    return [
      metric,
      value(float),
      value(quant),
      change(delta),
      ci95 ? `${change(ci95[0])} to ${change(ci95[1])}` : '-',
      paired ? `${paired.onlyFloat}/${paired.onlyQuant}` : '-',
      p === undefined ? '-' : probability(p),
    ];
  });
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
  const texts = (report.texts ?? []).map((row) => [row.name, '-', '-', '-', '-', inUnit(row.agreement, 'fraction')]);
  const samples = `output (${plural(report.data.evaluation.n, 'sample')})`;
  const head = [samples, 'SQNR', 'cosine', 'max error', 'mean error', 'agreement'];
  const hidden = worstFirst.length - rows.length;
  return [
    ...table([head, ...rows, ...texts], { width, header: ink.dim }),
    ...(hidden > 0 ? [`   and ${hidden} better ones`] : []),
  ];
}

/** The sickest tensors, with a bar as long as what their quantizer alone adds of noise. */
function tensorLines({ report, ink, width }: Context): string[] {
  const worst = worstTensors(report.tensors ?? []);
  if (worst.length === 0) return [];
  const rows = worst
    .slice(0, most.tensors)
    .map(({ isolated, accumulated, ...row }) => [
      row.origin ?? row.name,
      inUnit(isolated!.sqnrDb, 'dB', 1),
      accumulated ? inUnit(accumulated.sqnrDb, 'dB', 1) : '-',
      digits(isolated!.rmseOverScale, 3),
      `${isolated!.saturatedPct.toFixed(2)}%`,
      { text: '#'.repeat(noise(isolated!.sqnrDb)), paint: ink.red },
    ]);
  const head = ['worst tensors, SQNR', 'alone', 'whole', 'rmse/scale', 'saturated', ''];
  const hidden = worst.length - rows.length;
  return [
    ...table([head, ...rows], { width, header: ink.dim, left: [0, 5] }),
    ...(hidden > 0 ? [`   and ${hidden} better ones`] : []),
  ];
}

/** 0 to 16 steps of 2.5 dB below 40 dB. */
function noise(sqnrDb: number): number {
  return Number.isNaN(sqnrDb) ? 16 : Math.round(Math.min(16, Math.max(0, (40 - sqnrDb) / 2.5)));
}

/** Why, and what to try: the first cause at length, others by name. */
function causeLines(context: Context): string[] {
  const { report, ink, width } = context;
  const { causes = [], sensitivity } = report;
  const lines = causes
    .slice(0, most.causes)
    .flatMap(({ text, tryFlag }, index) => [
      indented(`${index === 0 ? 'why' : 'also'}: ${text}`, 1, width).replace(/^ (why|also):/, ink.bold(' $1:')),
      ...(tryFlag === undefined ? [] : [indented(`try: ${tryFlag}`, 3, width).replace('try:', ink.green('try:'))]),
    ]);
  if (sensitivity?.exclude && sensitivity.exclude.length > 0) {
    const { exclude, until } = sensitivity;
    const flags = exclude.map((node) => `--exclude ${quoted(node)}`).join(' ');
    const met = until === undefined ? '' : ` (${until.gate}: ${inUnit(until.value, sensitivity.unit)} without them)`;
    lines.push(indented(`leave float: ${flags}${met}`, 1, width));
  }
  return lines;
}

function trainingLines({ report: { training }, width }: Context): string[] {
  return training ? [indented(`trained ${trainingWords(training)}`, 1, width)] : [];
}

/** As a POSIX shell wants it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Where the nodes run, and the float ones by reason: many nodes share few reasons. */
function placementLines({ report: { placement, nodes }, ink, width }: Context): string[] {
  const counts = ` runs ${plural(placement.int8, 'node')} in int8, ${placement.float} in float, ${plural(placement.conversions, 'conversion')} between them`;
  const notFusedFirst = [...nodes].sort((a, b) => Number(a.placement === 'float') - Number(b.placement === 'float'));
  const reasoned = notFusedFirst.map(({ name, op, placement: where, reason }) => ({
    name,
    op,
    reason: `${where === 'float' ? 'float' : 'not fused'}: ${reason}`,
  }));
  return [counts, ...reasonLines(reasoned, { ink, width, whole: 'the JSON report lists every node' })];
}

function calibrationLines({ report: { data }, width }: Context): string[] {
  const health = data.calibration?.health;
  return health ? healthLines(health, width) : [];
}

function improvementLines({ report: { improvements = [] }, width }: Context): string[] {
  return improvements.map((improvement) => indented(improvementWords(improvement), 1, width));
}

/** Where the time goes, the slowest operator first. */
function profileLines({ report, ink, width }: Context): string[] {
  const { profile } = report;
  if (!profile || profile.ops.length === 0) return [];
  const rows = profile.ops
    .slice(0, most.operators)
    .map(({ op, floatMs, quantMs }) => [op, milliseconds(floatMs), milliseconds(quantMs)]);
  const head = [`time by operator (${plural(profile.runs, 'run')}, profiled)`, 'float', 'quant'];
  const hidden = profile.ops.length - rows.length;
  return [
    ...table([head, ...rows], { width, header: ink.dim }),
    ...(hidden > 0 ? [`   and ${hidden} faster ones`] : []),
  ];
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

export const terminal: Renderer = {
  format: 'terminal',
  extension: '.txt',
  describe: 'text for people, the verdict first',
  render: (report, { color = false, ...options }) => renderTerminal(report, { ...options, color }),
};
