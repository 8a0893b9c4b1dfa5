/**
 * The contract of a command: what it is called, what it takes, and `run`: options → one library call → print. To add a
 * command, write its file in `commands/` and list it in `commands/index.ts`.
 */
import { namesOf, type NamesOf, type SettingName, type Values } from '../settings/settings.ts';
import type { Stage } from '../settings/stages.ts';
import type { Console } from './console.ts';

export interface Positional {
  /** Upper case, as usage lines show it. */
  readonly name: string;
  readonly describe: string;
  /** May be given several times; only the last of a command. */
  readonly repeatable?: boolean;
  /** May be left out; only the last of a command. */
  readonly optional?: boolean;
}

export interface Invocation<S extends Stage> {
  /** One word per positional, and more for a repeatable one. */
  readonly positionals: readonly string[];
  readonly values: Values<NamesOf<S>>;
  readonly console: Console;
}

export interface CommandSpec<S extends Stage> {
  /** Those that it runs: of which settings it takes what they read. The first gives the command its name. */
  readonly stages: readonly S[];
  /** One line, lower case, no full stop. */
  readonly summary: string;
  readonly positionals: readonly Positional[];
  /** Settings without which the command cannot run, in flags or recipe. */
  readonly required?: readonly NamesOf<NoInfer<S>>[];
  /** Settings that one would look for here, and why there are none: what to do instead. */
  readonly lacks?: Partial<Record<SettingName, string>>;
  /** Command lines without the leading `qdq`, with what they do. */
  readonly examples: readonly (readonly [string, string])[];
  /** Resolves to the exit code: 0, 1 when a gate failed, 3 when doctor finds something broken. */
  run(invocation: Invocation<S>): Promise<number>;
}

/** A command whose stages are forgotten: how lists of commands hold it. */
export interface Command extends Omit<CommandSpec<Stage>, 'run' | 'required'> {
  readonly name: string;
  readonly required: readonly SettingName[];
  /** In the order of help. */
  readonly settings: readonly SettingName[];
  run(invocation: Invocation<never> & { readonly values: object }): Promise<number>;
}

/** Infers the stages, so that `run` sees exactly the values that its command takes. */
export function defineCommand<const S extends Stage>(spec: CommandSpec<S>): Command {
  const { stages, required = [] } = spec;
  return {
    ...spec,
    name: stages[0]!,
    required: required as readonly SettingName[],
    settings: namesOf(...stages),
    run: (invocation) => spec.run(invocation as unknown as Invocation<S>),
  };
}

/** `qdq compare FLOAT QUANT [options]` */
export function usageOf(command: Command): string {
  const required = command.required.map(
    (key) => ` --${key} ${key === 'output' ? 'OUT' : key === 'as' ? 'FORMAT' : key === 'for' ? 'RUNTIME' : 'D'}`,
  );
  return ['qdq', command.name, ...command.positionals.map(written)].join(' ') + `${required.join('')} [options]`;
}

function written({ name, repeatable, optional }: Positional): string {
  return repeatable ? `${name}...` : optional ? `[${name}]` : name;
}
