/**
 * Where a command speaks: results on stdout (text, or one JSON object with --json), everything else on stderr. Colour
 * only adds; it is decided per stream by NO_COLOR, FORCE_COLOR and whether the stream is a terminal.
 */
import { clean } from '../report/format.ts';
import { palette } from '../report/terminal-table.ts';
import { createProgress, type ProgressDisplay } from './progress.ts';

export interface Console {
  readonly json: boolean;
  /** How the text of `result` may look: columns are 80 when stdout is not a terminal; quiet: the verdict alone. */
  readonly look: { readonly color: boolean; readonly width: number; readonly quiet: boolean };
  readonly progress: ProgressDisplay;
  /** The result of the command, once: `value` as JSON, or the text. */
  result(value: unknown, text: () => string): void;
  /** A fact on stderr; silent under --quiet. */
  note(message: string): void;
  warn(message: string): void;
  /** What the exit code stands for; --quiet does not silence it. */
  fail(message: string): void;
  /** Lines on stderr, as they are, such as workflow commands. */
  emit(text: string): void;
  readonly env: Streams['env'];
}

export interface OutputStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export interface Streams {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function createConsole(
  streams: Streams,
  { json, quiet }: { readonly json: boolean; readonly quiet: boolean },
): Console {
  const { stdout, stderr, env } = streams;
  const progress = createProgress(stderr, quiet ? 'none' : isLive(stderr, env) ? 'bar' : 'lines');
  const color = wantsColor(stderr, env);
  const say = (message: string): void => {
    if (quiet) return;
    progress.clear();
    stderr.write(`${message}\n`);
  };
  return {
    json,
    look: { color: wantsColor(stdout, env), width: (stdout.isTTY && stdout.columns) || 80, quiet },
    progress,
    result(value, text) {
      progress.finish();
      const output = json ? JSON.stringify(value, nonFiniteAsText, 2) : text();
      stdout.write(output.endsWith('\n') ? output : `${output}\n`);
    },
    note: (message) => say(`qdq: ${clean(message)}`),
    warn: (message) => say(`qdq: ${palette(color).yellow('warning:')} ${clean(message)}`),
    fail(message) {
      progress.clear();
      stderr.write(`qdq: ${palette(color).red('failed:')} ${clean(message)}\n`);
    },
    emit(text) {
      progress.clear();
      stderr.write(text);
    },
    env,
  };
}

/** JSON has no NaN and no infinities; null would hide which of them it was. Reports are written the same way. */
function nonFiniteAsText(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** The convention of no-color.org and force-color.org; NO_COLOR wins. */
export function wantsColor(stream: OutputStream, env: Streams['env']): boolean {
  if (env['NO_COLOR']) return false;
  const force = env['FORCE_COLOR'];
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false';
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

/** A terminal on which a line can be redrawn; CI systems give pseudo-terminals that keep every redraw. */
function isLive(stream: OutputStream, env: Streams['env']): boolean {
  return (
    stream.isTTY === true &&
    env['TERM'] !== 'dumb' &&
    (env['CI'] === undefined || env['CI'] === '' || env['CI'] === 'false')
  );
}
