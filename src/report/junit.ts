/**
 * The gates as JUnit XML, in the dialect that the schemas of Jenkins and of Windyroad both accept: suites accuracy, outputs,
 * tensors and structure, one test case per gate. A gate that only warns passes and speaks in the suite's system-out; one that is
 * off is skipped. Structure also says that both models were run and that the result is finite.
 */
import type { GateRow, Report } from '../compare/report.ts';
import { escapeMarkup } from './escape.ts';
import type { Renderer } from './renderer.ts';
import { gateLine, likelyCause, modelNames } from './words.ts';

interface Case {
  readonly name: string;
  readonly outcome: 'passed' | 'skipped' | { readonly message: string; readonly details: string };
  /** What the suite says of it. */
  readonly note?: string;
}

const suiteNames = ['accuracy', 'outputs', 'tensors', 'structure'] as const;
type SuiteName = (typeof suiteNames)[number];

export function renderJUnit(report: Report): string {
  const cases = new Map<SuiteName, Case[]>(suiteNames.map((name) => [name, []]));
  for (const gate of report.gates) cases.get(suiteOf(gate.metric))!.push(caseOf(gate, report));
  cases.get('structure')!.unshift(ran, finite(report));
  const suites = suiteNames.map((name, id) => suite(name, id, cases.get(name)!, report)).join('');
  const all = [...cases.values()].flat();
  const counts = attributes({ name: `qdq ${modelNames(report)[1]}`, ...tally(all), time: 0 });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${counts}>\n${suites}</testsuites>\n`;
}

function suiteOf(metric: string): SuiteName {
  const family = metric.split(/[.[]/, 1)[0]!;
  if (family === 'output') return 'outputs';
  if (family === 'tensor' || family === 'tensors') return 'tensors';
  return ['latency', 'size', 'nodes', 'conversions'].includes(family) ? 'structure' : 'accuracy';
}

const ran: Case = { name: 'both models load and run in onnxruntime', outcome: 'passed' };

function finite({ outputs }: Report): Case {
  const bad = outputs.filter(({ nonFinite }) => nonFinite > 0);
  const name = 'every output is finite';
  if (bad.length === 0) return { name, outcome: 'passed' };
  const message = bad.map((row) => `output '${row.name}' holds ${row.nonFinite} NaN or infinite values`).join('; ');
  return { name, outcome: { message, details: message } };
}

function caseOf(gate: GateRow, report: Report): Case {
  const name = gate.id;
  if (gate.level === 'off') return { name, outcome: 'skipped' };
  if (gate.pass) return { name, outcome: 'passed' };
  const cause = likelyCause(report);
  const why = [gate.hint, cause?.text, cause?.tryFlag === undefined ? undefined : `try ${cause.tryFlag}`];
  const details = [gateLine(gate), ...why.filter((line) => line !== undefined)].join('\n');
  if (gate.level === 'warn') return { name, outcome: 'passed', note: `warning: ${details.replaceAll('\n', '; ')}` };
  return { name, outcome: { message: gateLine(gate), details } };
}

function suite(name: SuiteName, id: number, cases: readonly Case[], report: Report): string {
  const head = attributes({
    name,
    package: 'qdq',
    id,
    timestamp: (report.created ?? '1970-01-01T00:00:00').slice(0, 19),
    hostname: 'localhost',
    ...tally(cases),
    time: 0,
  });
  const properties = Object.entries(propertiesOf(name, report)).map(
    ([key, value]) => `   <property ${attributes({ name: key, value })}/>\n`,
  );
  const notes = cases.flatMap(({ note }) => (note === undefined ? [] : [note]));
  return [
    ` <testsuite ${head}>\n`,
    properties.length === 0 ? '  <properties/>\n' : `  <properties>\n${properties.join('')}  </properties>\n`,
    ...cases.map((each) => testCase(name, each)),
    `  <system-out>${lines(notes)}</system-out>\n  <system-err/>\n </testsuite>\n`,
  ].join('');
}

function testCase(suiteName: SuiteName, { name, outcome }: Case): string {
  const head = `  <testcase ${attributes({ name, classname: `qdq.${suiteName}`, time: 0 })}`;
  if (outcome === 'passed') return `${head}/>\n`;
  if (outcome === 'skipped') return `${head}><skipped/></testcase>\n`;
  const { message, details } = outcome;
  return `${head}>\n   <failure ${attributes({ message, type: 'gate' })}>${lines(details.split('\n'))}</failure>\n  </testcase>\n`;
}

/** Figures for those who plot them over time. */
function propertiesOf(name: SuiteName, report: Report): Record<string, string | number> {
  const entries: [string, string | number][] = [];
  if (name === 'accuracy')
    for (const { metric, float, quant, delta } of report.task)
      entries.push([`${metric}.float`, float], [`${metric}.quant`, quant], [`${metric}.delta`, delta]);
  if (name === 'outputs') {
    for (const row of report.outputs) entries.push([`output[${row.name}].sqnr`, row.sqnrDb]);
    for (const row of report.texts ?? []) entries.push([`output[${row.name}].agreement`, row.agreement]);
  }
  if (name === 'structure') {
    const { cost, placement } = report;
    entries.push(['size.ratio', cost.ratio], ['nodes.int8', placement.int8], ['nodes.float', placement.float]);
    if (cost.latencyMs) entries.push(['latency.speedup', cost.latencyMs.speedup]);
  }
  return Object.fromEntries(entries);
}

function tally(cases: readonly Case[]): Record<string, number> {
  const failures = cases.filter(({ outcome }) => typeof outcome === 'object').length;
  const skipped = cases.filter(({ outcome }) => outcome === 'skipped').length;
  return { tests: cases.length, failures, errors: 0, skipped };
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}="${escapeMarkup(String(value))}"`)
    .join(' ');
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => escapeMarkup(text)).join('\n');
}

export const junit: Renderer = {
  format: 'junit',
  extension: '.xml',
  describe: 'JUnit XML: a test case per gate',
  render: renderJUnit,
};
