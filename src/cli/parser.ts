/**
 * yargs, tamed. It dispatches, splits words and writes help; it must not judge values, because it turns 'eight' into
 * NaN, a repeated option into an array and `--json=yes` into false, and reports one unknown word as two. So every value
 * arrives here as text, unchecked, and `arguments.ts` judges it.
 */
import yargs, { type Argv, type Options } from 'yargs';
import type { Setting } from '../settings/setting.ts';
import { version } from '../process/version.ts';
import { usageOf, type Command } from './command.ts';
import { commonNames, flagOf, row, type SettingName } from '../settings/settings.ts';

/** What yargs made of the words: flag names as typed (kebab-case), values as text, text lists or booleans. */
export interface RawArguments {
  readonly _: readonly string[];
  readonly [flag: string]: unknown;
}

export type Parsed =
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'command'; readonly command: Command | undefined; readonly raw: RawArguments };

/** `qdq help inspect` is `qdq inspect --help`. Help, version and the completion script come back as text to print. */
export async function parse(words: readonly string[], commands: readonly Command[], columns: number): Promise<Parsed> {
  const argv = words[0] === 'help' ? [...words.slice(1), '--help'] : [...words];
  let selected: Parsed | undefined;
  const select = (command: Command | undefined) => (raw: unknown) => {
    selected = { kind: 'command', command, raw: raw as RawArguments };
  };
  const parser = configure(yargs(argv), columns);
  for (const command of commands) {
    parser.command(command.name, command.summary, (inner) => describe(inner, command), select(command));
  }
  // Whatever is no command comes back as `undefined`; a default command would also swallow `qdq completion`.
  if (words[0] !== 'completion') parser.command('$0', false, (inner) => inner, select(undefined));
  parser
    .completion('completion', 'print a completion script for bash or zsh')
    .usage('qdq COMMAND [options]\n\nQuantizes ONNX models, and proves what it cost.')
    .epilog(
      "'qdq COMMAND --help' explains a command.\nExit codes: 0 done, 1 a gate failed, 2 usage, 3 bad model or data, 4 internal error.",
    );
  let text = '';
  await parser.parseAsync(argv, {}, (_error: unknown, _argv: unknown, output: string) => {
    text = output;
  });
  return selected ?? { kind: 'print', text };
}

function configure(parser: Argv, columns: number): Argv {
  return parser
    .scriptName('qdq')
    .exitProcess(false)
    .fail(false)
    .detectLocale(false)
    .wrap(Math.min(columns, 110))
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'strip-aliased': true,
    })
    .options(declare(commonNames))
    .version(version)
    .alias('help', 'h')
    .group(['help', 'version'], 'General:');
}

function describe(parser: Argv, command: Command): void {
  const width = Math.max(0, ...command.positionals.map(({ name }) => name.length));
  const positionals = command.positionals.map(({ name, describe }) => `  ${name.padEnd(width)}  ${describe}`);
  const what = `${command.summary.charAt(0).toUpperCase()}${command.summary.slice(1)}.`;
  parser.usage([usageOf(command), '', what, ...(positionals.length > 0 ? ['', ...positionals] : [])].join('\n'));
  parser.options(declare(command.settings));
  for (const [line, meaning] of command.examples) parser.example(`qdq ${line}`, meaning);
}

function declare(names: readonly SettingName[]): Record<string, Options> {
  return Object.fromEntries(names.map((name) => [flagOf(name), declaration(row(name))]));
}

/** Without defaults and choices: those are applied after the recipe has been read. Help shows them all the same. */
function declaration({ kind, group, choices, alias, default: value, describe: what, defaultText }: Setting): Options {
  const shown = value === undefined || kind === 'list' || kind === 'flag' ? undefined : String(value);
  const defaultDescription = defaultText ?? shown;
  return {
    type: kind === 'flag' ? 'boolean' : kind === 'list' ? 'array' : 'string',
    ...(kind === 'list' ? { string: true } : {}),
    group,
    describe: choices ? `${what} (${choices.join(', ')})` : what,
    ...(alias === undefined ? {} : { alias }),
    ...(defaultDescription === undefined ? {} : { defaultDescription }),
  };
}
