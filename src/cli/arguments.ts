/** Judges what was typed: every word known, every value fit, everything required present. Flags go over the recipe. */
import { readText, type Setting } from '../settings/setting.ts';
import { cliErrors } from '../errors/cli.ts';
import { usageOf, type Command } from './command.ts';
import { commonNames, flagOf, row, settingNames, type SettingName } from '../settings/settings.ts';
import type { RawArguments } from './parser.ts';

const builtin = ['help', 'version'];

/** Throws for the first unknown option or command; unknown options first, since they may have swallowed the command. */
export function checkWords(
  raw: RawArguments,
  command: Command | undefined,
  commands: readonly Command[],
  words: readonly string[],
): asserts command is Command {
  const taken = command?.settings ?? commonNames;
  const flags = [...taken.map(flagOf), ...builtin];
  // Before the command is known, any command's option may be the one that was meant.
  const candidates = command === undefined ? [...settingNames.map(flagOf), ...builtin] : flags;
  for (const name of Object.keys(raw)) {
    if (name === '_' || name === '$0' || flags.includes(name)) continue;
    if (command === undefined && candidates.includes(name)) continue;
    const takenBy = commands.filter((other) => other.settings.map(flagOf).includes(name)).map((other) => other.name);
    const known = candidates.flatMap((flag) => [`--${flag}`, `--no-${flag}`]);
    const lacking = Object.entries(command?.lacks ?? {}).find(([key]) => flagOf(key as SettingName) === name)?.[1];
    throw cliErrors.unknownOption(asTyped(name, words), command?.name, known, takenBy, lacking);
  }
  const names = commands.map(({ name }) => name);
  if (command === undefined) {
    const word = raw._[0];
    throw word === undefined
      ? cliErrors.missingCommand()
      : cliErrors.unknownCommand(word, [...names, 'completion', 'help']);
  }
}

export function positionalsOf(raw: RawArguments, command: Command): string[] {
  const words = raw._.slice(1);
  const missing = command.positionals[words.length];
  if (missing && !missing.optional) throw cliErrors.missingArgument(command.name, missing.name, usageOf(command));
  const extra = command.positionals.at(-1)?.repeatable ? undefined : words[command.positionals.length];
  if (extra !== undefined) throw cliErrors.extraArgument(command.name, extra, usageOf(command));
  words.forEach((word, index) => {
    const { name } = command.positionals[index] ?? command.positionals.at(-1)!;
    if (word === '') throw cliErrors.missingArgument(command.name, name, usageOf(command));
  });
  return words;
}

/** The settings that were typed, checked, by key. */
export function flagsOf(raw: RawArguments, command: Command, words: readonly string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const key of command.settings) {
    const given = raw[flagOf(key)];
    if (given !== undefined) values[key] = read(row(key), flagOf(key), given, words);
  }
  return values;
}

/** Flags over recipe over defaults. */
export function resolveValues(
  command: Command,
  flags: Readonly<Record<string, unknown>>,
  recipe: Readonly<Record<string, unknown>>,
): object {
  const values: Record<string, unknown> = {};
  for (const key of command.settings) {
    const value = flags[key] ?? recipe[key] ?? row(key).default;
    if (value !== undefined) values[key] = value;
  }
  const missing = command.required.find((key) => values[key] === undefined);
  if (missing) throw cliErrors.missingOption(command.name, `--${flagOf(missing)}`, usageOf(command));
  return values;
}

function read(setting: Setting, name: string, given: unknown, words: readonly string[]): unknown {
  const flag = `--${name}`;
  if (setting.kind === 'flag') {
    // yargs reads any text but 'true' as false.
    const value = words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1);
    if (value !== undefined && value !== 'true' && value !== 'false') {
      throw cliErrors.badValue(flag, `'${value}' is not true or false`, `write ${flag} or --no-${name}`);
    }
    return given;
  }
  if (given === false) {
    if (setting.negatable) return false;
    throw cliErrors.notNegatable(flag, name);
  }
  const texts = (Array.isArray(given) ? given : [given]).map(String);
  if (texts.length === 0 || texts.includes('')) throw cliErrors.missingValue(flag, setting.expects);
  if (setting.kind === 'list') return texts;
  if (texts.length > 1) throw cliErrors.givenTwice(flag, texts);
  const reading = readText(setting, texts[0]!);
  if ('problem' in reading) throw cliErrors.badValue(flag, reading.problem, reading.hint);
  return reading.value;
}

/** The word behind an option name that yargs gives: `--name`, `--no-name` or `-n`. */
function asTyped(name: string, words: readonly string[]): string {
  const forms = [`--${name}`, `--no-${name}`];
  const word = words.map((each) => each.split('=', 1)[0]!).find((each) => forms.includes(each));
  return word ?? (name.length === 1 ? `-${name}` : `--${name}`);
}
