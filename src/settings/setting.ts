/**
 * The grammar of one setting, of which the rows of this module's tables are made. A row says everything about its setting once: name,
 * kind, default, help, who reads it. Flags, recipe keys, the library's options and their types, defaults, and which format takes the
 * setting all follow from it. Reading a value gives the value or a problem in words, and the caller says where.
 */
import * as z from 'zod';
import { didYouMean } from '../errors/qdq-error.ts';
import type { FormatName, Stage } from './stages.ts';

export type SettingKind = 'text' | 'path' | 'integer' | 'real' | 'choice' | 'flag' | 'list';

/** text: words of which some may be paths. A model is all the files that it is made of. */
export interface InputFile {
  readonly kind: 'model' | 'data' | 'file' | 'text';
  /** "the calibration state" */
  readonly as: string;
}

/** What every row may say. The type parameters keep what types are derived from: readers, default, formats, name in the library. */
interface Row<
  S extends readonly Stage[] = readonly Stage[],
  D = unknown,
  F extends readonly FormatName[] = readonly FormatName[],
  O extends string | false = string | false,
> {
  /** One line, lower case, no full stop. */
  readonly describe: string;
  /** Heading under which help lists it. */
  readonly group: string;
  /** The stages that read it. */
  readonly stages: S;
  /** Of `quantize`: the formats that read it, where not all do. Any other format refuses it. */
  readonly formats?: F;
  readonly default?: D;
  /** What help says of a default that depends on the machine or on other settings. */
  readonly defaultText?: string;
  /** One letter. */
  readonly alias?: string;
  /** Of one whose value names files that are read: what they are, and how errors call them. */
  readonly reads?: InputFile;
  /** Name of the flag, where it is not the key in kebab-case: for a word that another command uses for something else. */
  readonly flag?: string;
  /** Name of the library's option, where it is not the key; false: the command line alone has the setting. */
  readonly option?: O;
}

/** A row with its kind: what reading a value needs. */
export interface Setting<T = unknown> extends Row {
  readonly kind: SettingKind;
  /** What a value is, in words: "a whole number of at least 1". */
  readonly expects: string;
  readonly schema: z.ZodType<T>;
  readonly choices?: readonly string[];
  /** Values of a path that are words, not paths. */
  readonly words?: readonly string[];
  /** A path that may be switched off: `--no-report`, or false in a recipe. */
  readonly negatable?: boolean;
}

export type SettingTable = Readonly<Record<string, Setting>>;

/** A setting with all that types of options are derived from: one that has a default always has a value. */
type Made<T, S, D, F, O> = Omit<Setting<T>, 'stages' | 'formats' | 'option' | 'default'> & {
  readonly stages: S;
  readonly formats?: F;
  readonly option?: O;
} & ([D] extends [undefined] ? { readonly default?: undefined } : { readonly default: D });

/** Nothing is known of a type parameter inside its function: that a row without a default is made without one is said here once. */
function made<M>(row: object): M {
  return row as M;
}

interface Limits {
  readonly min: number;
  readonly max?: number;
}

type Stages = readonly Stage[];
type Formats = readonly FormatName[];
type Name = string | false;

const nonEmpty = z.string().min(1);

export function text<const S extends Stages, const O extends Name = never>(
  row: Row<S, never, readonly [], O> & { readonly expects: string },
): Made<string, S, undefined, readonly [], O> {
  return made({ kind: 'text', schema: nonEmpty, ...row });
}

export function path<const S extends Stages, const O extends Name = never>(
  row: Row<S, never, readonly [], O> & { readonly words?: readonly string[] },
): Made<string, S, undefined, readonly [], O> {
  return made({ kind: 'path', schema: nonEmpty, expects: 'a path', ...row });
}

/** A path, or false for "none at all". */
export function negatablePath<const S extends Stages>(
  row: Row<S, never, readonly [], never>,
): Made<string | false, S, undefined, readonly [], never> {
  const schema = z.union([nonEmpty, z.literal(false)]);
  return made({ kind: 'path', schema, expects: 'a path', negatable: true, ...row });
}

export function integer<
  const S extends Stages,
  const D extends number | undefined = undefined,
  const F extends Formats = readonly [],
>({ min, max, ...row }: Row<S, D, F, never> & Limits): Made<number, S, D, F, never> {
  const schema = z.int().min(min);
  const expects = max === undefined ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`;
  return made({ kind: 'integer', schema: max === undefined ? schema : schema.max(max), expects, ...row });
}

/** A number that need not be whole; limits are included. */
export function real<const S extends Stages, const D extends number | undefined = undefined>({
  min,
  max,
  ...row
}: Row<S, D, readonly [], never> & Limits): Made<number, S, D, readonly [], never> {
  const schema = z.number().min(min);
  const expects = max === undefined ? `a number of at least ${min}` : `a number from ${min} to ${max}`;
  return made({ kind: 'real', schema: max === undefined ? schema : schema.max(max), expects, ...row });
}

export function choice<
  const C extends string,
  const S extends Stages,
  const D extends C | undefined = undefined,
  const F extends Formats = readonly [],
  const O extends Name = never,
>(choices: readonly C[], row: Row<S, D, F, O>): Made<C, S, D, F, O> {
  const expects = choices.length === 1 ? `'${choices[0]}'` : `one of ${choices.join(', ')}`;
  const schema = z.enum(choices as readonly [C, ...C[]]) as unknown as z.ZodType<C>;
  return made({ kind: 'choice', choices, schema, expects, ...row });
}

export function flag<
  const S extends Stages,
  const D extends boolean | undefined = undefined,
  const F extends Formats = readonly [],
  const O extends Name = never,
>(row: Row<S, D, F, O>): Made<boolean, S, D, F, O> {
  return made({ kind: 'flag', schema: z.boolean(), expects: 'true or false', ...row });
}

/** Repeatable on the command line; a string or an array of strings in a recipe. */
export function list<const S extends Stages, const O extends Name = never>(
  row: Row<S, never, readonly [], O> & { readonly expects: string },
): Made<readonly string[], S, readonly string[], readonly [], O> {
  const schema = z.union([nonEmpty.transform((one): readonly string[] => [one]), z.array(nonEmpty)]);
  return made({ kind: 'list', schema, ...row, default: [] });
}

export type Reading = { readonly value: unknown } | { readonly problem: string; readonly hint: string | undefined };

/** A value that is already typed (from a recipe, or made from text by `readText`). */
export function readValue(setting: Setting, raw: unknown): Reading {
  const result = setting.schema.safeParse(raw);
  if (result.success) return { value: result.data };
  return { problem: `${show(raw)} is not ${setting.expects}`, hint: hintFor(setting, raw) };
}

/**
 * A value as the command line has it. Whole numbers are decimal digits: '1e3', '0x10' and '8 ' are refused, not guessed at;
 * others may have a point and an exponent.
 */
export function readText(setting: Setting, raw: string): Reading {
  const isNumber =
    (setting.kind === 'integer' && /^[+-]?\d+$/.test(raw)) ||
    (setting.kind === 'real' && /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(raw));
  return readValue(setting, isNumber ? Number(raw) : raw);
}

function hintFor(setting: Setting, raw: unknown): string | undefined {
  if (setting.choices && typeof raw === 'string') return didYouMean(raw, setting.choices);
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
