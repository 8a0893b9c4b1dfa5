/**
 * The contract of a command: what it is called, what it takes, and `run`: options → one library call → print. To add a
 * command, write its file in `commands/` and list it in `commands/index.ts`.
 */
import type { Console } from './console.ts';
import type { commonOptions, OptionName, Values } from './options.ts';

export type CommonOption = (typeof commonOptions)[number];

export interface Positional {
  /** Upper case, as usage lines show it. */
  readonly name: string;
  readonly describe: string;
  /** May be given several times; only the last of a command. */
  readonly repeatable?: boolean;
  /** May be left out; only the last of a command. */
  readonly optional?: boolean;
}

export interface Invocation<K extends OptionName> {
  /** One word per positional, and more for a repeatable one. */
  readonly positionals: readonly string[];
  readonly values: Values<K | CommonOption>;
  readonly console: Console;
}

export interface CommandSpec<K extends OptionName> {
  readonly name: string;
  /** One line, lower case, no full stop. */
  readonly summary: string;
  readonly positionals: readonly Positional[];
  /** In the order of help; the common options come by themselves. */
  readonly options: readonly K[];
  /** Options without which the command cannot run, in flags or recipe. */
  readonly required?: readonly NoInfer<K>[];
  /** Where the command differs from what the options say by themselves. */
  readonly defaults?: Partial<Values<NoInfer<K>>>;
  /** Options that one would look for here, and why there are none: what to do instead. */
  readonly lacks?: Partial<Record<OptionName, string>>;
  /** Command lines without the leading `qdq`, with what they do. */
  readonly examples: readonly (readonly [string, string])[];
  /** Resolves to the exit code: 0, 1 when a gate failed, 3 when doctor finds something broken. */
  run(invocation: Invocation<K>): Promise<number>;
}

/** A command whose option names are forgotten: how lists of commands hold it. */
export interface Command extends Omit<CommandSpec<OptionName>, 'run' | 'required' | 'defaults'> {
  readonly required: readonly OptionName[];
  readonly defaults: Readonly<Record<string, unknown>>;
  run(invocation: Invocation<never> & { readonly values: object }): Promise<number>;
}

/** Infers the option names, so that `run` sees exactly the values that its command takes. */
export function defineCommand<const K extends OptionName>(spec: CommandSpec<K>): Command {
  return {
    ...spec,
    required: spec.required ?? [],
    defaults: spec.defaults ?? {},
    run: (invocation) => spec.run(invocation as unknown as Invocation<K>),
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
