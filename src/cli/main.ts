/**
 * The command line: words → command → exit code. Commands throw; here is the only place that turns a throw into a line
 * on stderr and a number. Nothing calls process.exit, so that pipes are emptied, except an interrupt.
 */
import { exitCodes, QdqError } from '../errors/qdq-error.ts';
import { clean } from '../report/format.ts';
import { palette } from '../report/terminal-table.ts';
import { createConsole, wantsColor, type Streams } from './console.ts';
import process from 'node:process';
import { findRecipe, readRecipe } from '../settings/recipe.ts';
import { runInterruptCleanups } from '../process/interrupt.ts';
import { checkWords, flagsOf, positionalsOf, resolveValues } from './arguments.ts';
import type { Command } from './command.ts';
import { commands, sections } from './commands/index.ts';
import { settings, type Values } from '../settings/settings.ts';
import { parse } from './parser.ts';

/** @param words the arguments after `qdq` */
export async function main(words: readonly string[], streams: Streams = process): Promise<number> {
  const json = words.includes('--json');
  const verbose = words.includes('--verbose');
  const release = streams === process ? guardProcess() : () => {};
  try {
    const parsed = await parse(words, commands, (streams.stdout.isTTY && streams.stdout.columns) || 100);
    if (parsed.kind === 'print') {
      if (parsed.text !== '') streams.stdout.write(`${parsed.text}\n`);
      return 0;
    }
    checkWords(parsed.raw, parsed.command, commands, words);
    const { command, raw } = parsed;
    const positionals = positionalsOf(raw, command);
    const flags = flagsOf(raw, command, words);
    const recipe = await recipeFor(command, flags['config'] as string | undefined);
    const resolved = resolveValues(command, flags, recipe?.settings(command.name) ?? {});
    // A recipe is an input, also where nobody named it.
    const values = { ...resolved, ...(recipe && { config: recipe.file }) } as Values<'json' | 'quiet' | 'verbose'>;
    const console = createConsole(streams, values);
    if (recipe?.found) console.note(`settings from ${recipe.file}`);
    try {
      return await command.run({ positionals, values, console });
    } finally {
      console.progress.clear();
    }
  } catch (error) {
    return tellFailure(error, streams, { json, verbose });
  } finally {
    release();
  }
}

async function recipeFor(command: Command, named: string | undefined) {
  if (!command.settings.includes('config')) return undefined;
  const folder = process.cwd();
  const file = named ?? (await findRecipe(folder));
  return file === undefined ? undefined : readRecipe(file, named === undefined, folder, settings, sections);
}

/** Interrupts clean up and exit with 128 + the signal's number; a reader that closed the pipe is no error. */
function guardProcess(): () => void {
  const stop = (exitCode: number) => async () => {
    await runInterruptCleanups();
    process.stderr.write(`${process.stderr.isTTY ? '\n' : ''}qdq: interrupted\n`);
    process.exit(exitCode);
  };
  const handlers = [['SIGINT', stop(130)] as const, ['SIGTERM', stop(143)] as const];
  for (const [signal, handler] of handlers) process.once(signal, handler);
  const closedPipe = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error;
  };
  process.stdout.on('error', closedPipe);
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}

const ask = 'this is a fault of qdq, not of your input: please report it with the command line and the text above';

/**
 * Writes the failure and returns the exit code: one line with the cause and one with the remedy on stderr, with --json the same as an
 * object on stdout. What is not a QdqError is a fault of qdq itself, and says so instead of pretending to be the user's.
 */
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
    `qdq: ${palette(wantsColor(stderr, env)).red('error:')} ${known ? '' : 'internal error: '}${clean(message)}`,
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
