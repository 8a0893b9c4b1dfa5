/**
 * Workflow commands of GitHub Actions, which become annotations of the run: failed gates as errors, then warnings. GitHub shows
 * ten of a kind per step, so eight are written and the last says what was left out.
 */
import type { Report } from '../compare/report.ts';
import { commandMessage, commandProperty } from './escape.ts';
import { plural } from './format.ts';
import type { Renderer } from './renderer.ts';
import { because, gateLine, likelyCause, modelNames } from './words.ts';

const most = 8;

/** Empty when there is nothing to say. */
export function renderAnnotations(report: Report): string {
  const title = `qdq: ${modelNames(report)[1]}`;
  const missed = report.gates.filter(({ pass, level }) => !pass && level !== 'off');
  const told = (level: string): string[] =>
    missed
      .filter((gate) => gate.level === level)
      .map((gate) => `${gateLine(gate)}${gate.hint === undefined ? '' : ` (${gate.hint})`}`);
  const cause = likelyCause(report);
  const errors = [
    ...told('error'),
    ...report.warnings.filter(({ code }) => code === 'NOT_FINITE').map(({ message }) => message),
  ];
  const warnings = [
    ...told('warn'),
    ...(cause === undefined ? [] : [`${cause.text}${cause.tryFlag === undefined ? '' : `. Try ${cause.tryFlag}`}`]),
    ...report.warnings.filter(({ code }) => code !== 'NOT_FINITE').map(({ message }) => message),
  ];
  const notice = [`${report.verdict.toUpperCase()}: ${because(report)}`];
  const lines = [
    ...commands('error', title, errors),
    ...commands('warning', title, warnings),
    ...commands('notice', title, notice),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function commands(kind: 'error' | 'warning' | 'notice', title: string, messages: readonly string[]): string[] {
  const shown = messages.length > most ? messages.slice(0, most - 1) : messages;
  const hidden = messages.length - shown.length;
  const all = hidden > 0 ? [...shown, `and ${plural(hidden, 'other')}: see the report`] : shown;
  return all.map((message) => `::${kind} title=${commandProperty(title)}::${commandMessage(message)}`);
}

export const annotations: Renderer = {
  format: 'annotations',
  extension: undefined,
  describe: 'workflow commands of GitHub Actions',
  render: renderAnnotations,
};
