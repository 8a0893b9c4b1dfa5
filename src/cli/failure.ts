/**
 * How a failure is told: one line with the cause and one with the remedy on stderr, with --json the same as an object
 * on stdout. What is not a QdqError is a fault of qdq itself, and says so instead of pretending to be the user's.
 */
import { exitCodes, QdqError } from '../errors/qdq-error.ts';
import { clean } from '../report/format.ts';
import { paint, wantsColor, type Streams } from './console.ts';

const ask = 'this is a fault of qdq, not of your input: please report it with the command line and the text above';

/** Writes the failure and returns the exit code. */
export function tellFailure(
  error: unknown,
  streams: Streams,
  flags: { readonly json: boolean; readonly verbose: boolean },
): number {
  const { stdout, stderr, env } = streams;
  const known = error instanceof QdqError && error.kind !== 'internal';
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof QdqError ? error.code : 'INTERNAL';
  const hint = error instanceof QdqError && error.hint !== undefined ? error.hint : known ? undefined : ask;
  const trace = flags.verbose || env['QDQ_DEBUG'] === '1';
  const lines = [
    `qdq: ${paint('error:', 'red', wantsColor(stderr, env))} ${known ? '' : 'internal error: '}${clean(message)}`,
  ];
  if (trace) lines.push(stackOf(error));
  else if (!known) lines.push('  QDQ_DEBUG=1 or --verbose shows where');
  if (hint !== undefined) lines.push(`  hint: ${clean(hint)}`);
  stderr.write(`${lines.join('\n')}\n`);
  if (flags.json) {
    const shown = { code, message, ...(hint === undefined ? {} : { hint }) };
    stdout.write(`${JSON.stringify({ error: shown }, undefined, 2)}\n`);
  }
  return error instanceof QdqError ? error.exitCode : exitCodes.internal;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const stack = (error.stack ?? '').split('\n').slice(1).join('\n');
  return error.cause instanceof Error ? `${stack}\n  caused by: ${error.cause.stack ?? error.cause.message}` : stack;
}
