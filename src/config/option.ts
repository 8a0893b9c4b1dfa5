/**
 * The grammar of one setting: what a flag and a recipe key of the same name have in common. A setting knows its kind,
 * its schema and the words in which a wrong value is refused; reading gives a value or a problem, and the caller says
 * where.
 */
import * as z from 'zod';
import { didYouMean } from '../errors/qdq-error.ts';

export type OptionKind = 'text' | 'path' | 'integer' | 'real' | 'choice' | 'flag' | 'list';

export interface Option<T = unknown> {
  readonly kind: OptionKind;
  /** One line, lower case, no full stop. */
  readonly describe: string;
  /** Heading under which help lists it. */
  readonly group: string;
  /** One letter. */
  readonly alias?: string;
  /** Name of the flag, where it is not the key in kebab-case: for a word that another command uses for something else. */
  readonly flag?: string;
  readonly choices?: readonly string[];
  /** What a value is, in words: "a whole number of at least 1". */
  readonly expects: string;
  readonly schema: z.ZodType<T>;
  readonly default?: T;
  /** What help says of a default that depends on the machine or on other settings. */
  readonly defaultText?: string;
  /** Values of a path setting that are words, not paths. */
  readonly words?: readonly string[];
  /** A path that may be switched off: `--no-report`, or false in a recipe. */
  readonly negatable?: boolean;
}

/** A setting that always has a value. */
export type Defaulted<T> = Option<T> & { readonly default: T };

export type OptionTable = Readonly<Record<string, Option>>;

interface Basics {
  readonly describe: string;
  readonly group: string;
  readonly alias?: string;
  readonly flag?: string;
  readonly defaultText?: string;
}

interface Integer extends Basics {
  readonly min: number;
  readonly max?: number;
}

const nonEmpty = z.string().min(1);

export function text(basics: Basics & { readonly expects: string }): Option<string> {
  return { kind: 'text', schema: nonEmpty, ...basics };
}

export function path(basics: Basics & { readonly words?: readonly string[] }): Option<string> {
  return { kind: 'path', schema: nonEmpty, expects: 'a path', ...basics };
}

/** A path, or false for "none at all". */
export function negatablePath(basics: Basics): Option<string | false> {
  return { kind: 'path', schema: z.union([nonEmpty, z.literal(false)]), expects: 'a path', negatable: true, ...basics };
}

export function integer(basics: Integer & { readonly default: number }): Defaulted<number>;
export function integer(basics: Integer): Option<number>;
export function integer({ min, max, ...basics }: Integer & { readonly default?: number }): Option<number> {
  const schema = z.int().min(min);
  if (max === undefined) return { kind: 'integer', schema, expects: `a whole number of at least ${min}`, ...basics };
  return { kind: 'integer', schema: schema.max(max), expects: `a whole number from ${min} to ${max}`, ...basics };
}

/** A number that need not be whole; limits are included. */
export function real(basics: Integer & { readonly default: number }): Defaulted<number>;
export function real(basics: Integer): Option<number>;
export function real({ min, max, ...basics }: Integer & { readonly default?: number }): Option<number> {
  const schema = z.number().min(min);
  if (max === undefined) return { kind: 'real', schema, expects: `a number of at least ${min}`, ...basics };
  return { kind: 'real', schema: schema.max(max), expects: `a number from ${min} to ${max}`, ...basics };
}

export function choice<const C extends string>(
  choices: readonly C[],
  basics: Basics & { readonly default: NoInfer<C> },
): Defaulted<C>;
export function choice<const C extends string>(choices: readonly C[], basics: Basics): Option<C>;
export function choice<const C extends string>(
  choices: readonly C[],
  basics: Basics & { readonly default?: C },
): Option<C> {
  const expects = choices.length === 1 ? `'${choices[0]}'` : `one of ${choices.join(', ')}`;
  return {
    kind: 'choice',
    choices,
    schema: z.enum(choices as readonly [C, ...C[]]) as unknown as z.ZodType<C>,
    expects,
    ...basics,
  };
}

export function flag(basics: Basics & { readonly default: boolean }): Defaulted<boolean>;
export function flag(basics: Basics): Option<boolean>;
export function flag(basics: Basics & { readonly default?: boolean }): Option<boolean> {
  return { kind: 'flag', schema: z.boolean(), expects: 'true or false', ...basics };
}

/** Repeatable on the command line; a string or an array of strings in a recipe. */
export function list(basics: Basics & { readonly expects: string }): Defaulted<readonly string[]> {
  const schema = z.union([nonEmpty.transform((one): string[] => [one]), z.array(nonEmpty)]);
  return { kind: 'list', schema, default: [], ...basics };
}

export type Reading = { readonly value: unknown } | { readonly problem: string; readonly hint: string | undefined };

/** A value that is already typed (from a recipe, or made from text by `readText`). */
export function readValue(option: Option, raw: unknown): Reading {
  const result = option.schema.safeParse(raw);
  if (result.success) return { value: result.data };
  return { problem: `${show(raw)} is not ${option.expects}`, hint: hintFor(option, raw) };
}

/**
 * A value as the command line has it. Whole numbers are decimal digits: '1e3', '0x10' and '8 ' are refused, not guessed at;
 * others may have a point and an exponent.
 */
export function readText(option: Option, raw: string): Reading {
  const isNumber =
    (option.kind === 'integer' && /^[+-]?\d+$/.test(raw)) ||
    (option.kind === 'real' && /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(raw));
  return readValue(option, isNumber ? Number(raw) : raw);
}

function hintFor(option: Option, raw: unknown): string | undefined {
  if (option.choices && typeof raw === 'string') return didYouMean(raw, option.choices);
  return undefined;
}

function show(raw: unknown): string {
  return typeof raw === 'string' ? `'${raw}'` : (JSON.stringify(raw) ?? String(raw));
}

/** `perTensor` → `per-tensor`. */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `per-tensor` → `perTensor`. */
export function keyName(flagText: string): string {
  return flagText.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
