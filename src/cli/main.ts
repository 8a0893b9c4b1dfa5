/**
 * The command line: words → command → exit code. Commands throw; here is the only place that turns a throw into a line
 * on stderr and a number. Nothing calls process.exit, so that pipes are emptied, except an interrupt.
 */
import process from 'node:process';
import { findRecipe, readRecipe } from '../settings/recipe.ts';
import { runInterruptCleanups } from '../process/interrupt.ts';
import { checkWords, flagsOf, positionalsOf, resolveValues } from './arguments.ts';
import type { Command } from './command.ts';
import { commands, sections } from './commands/index.ts';
import { createConsole, type Streams } from './console.ts';
import { tellFailure } from './failure.ts';
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
