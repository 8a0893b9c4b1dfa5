/**
 * Reads recipe files: `--config FILE`, or `qdq.config.*` in the current folder. A recipe is checked as a whole, the sections
 * of other commands included, before anything of it is used. Paths in it are relative to the file, like those of a
 * tsconfig.
 */
import * as z from 'zod';
import { type Setting, type SettingTable, readValue } from './setting.ts';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LineCounter, parseDocument } from 'yaml';
import { configErrors } from '../errors/cli.ts';
import { withoutMark } from '../onnx/strings.ts';

const recipeExtensions = ['.json', '.yaml', '.yml', '.mjs'] as const;

interface Recipe {
  /** As the user gave it, or the bare name of a file that was found. */
  readonly file: string;
  /** True when nobody named it. */
  readonly found: boolean;
  /** Checked settings of the whole recipe that apply to `command`: its section over the top level. */
  settings(command: string): Readonly<Record<string, unknown>>;
}

/** The recipe file of this folder, if there is one. Two are an error: which one counts must not depend on spelling. */
export async function findRecipe(folder: string): Promise<string | undefined> {
  const names = new Set(await readdir(folder).catch(() => []));
  const found = recipeExtensions.map((extension) => `qdq.config${extension}`).filter((name) => names.has(name));
  if (found.length > 1) throw configErrors.several(found);
  return found[0];
}

/** @param folder the current folder, against which `file` and the paths of the result are relative */
export async function readRecipe(
  file: string,
  found: boolean,
  folder: string,
  table: SettingTable,
  sections: Sections,
): Promise<Recipe> {
  const raw = await readRaw(file, resolve(folder, file));
  const values = check(file, raw, table, sections);
  const base = dirname(resolve(folder, file));
  return {
    file,
    found,
    settings(command) {
      const taken = sections[command] ?? [];
      const merged: Record<string, unknown> = {};
      for (const source of [values, values[command] as Record<string, unknown> | undefined]) {
        for (const key of taken) if (source?.[key] !== undefined) merged[key] = source[key];
      }
      for (const key of taken) {
        const { kind, words = [] } = table[key]!;
        const value = merged[key];
        if (kind === 'path' && typeof value === 'string' && !words.includes(value))
          merged[key] = rebase(value, base, folder);
      }
      return merged;
    },
  };
}

async function readRaw(file: string, path: string): Promise<unknown> {
  const extension = extname(path);
  if (!(recipeExtensions as readonly string[]).includes(extension))
    throw configErrors.extension(file, recipeExtensions);
  let content: string;
  try {
    content = withoutMark(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === 'ENOENT'
      ? configErrors.notFound(file)
      : configErrors.unreadable(file, cause);
  }
  if (extension === '.mjs') {
    try {
      return ((await import(pathToFileURL(path).href)) as { default?: unknown }).default;
    } catch (cause) {
      throw configErrors.module(file, cause);
    }
  }
  return extension === '.json' ? parseJson(file, content) : parseYaml(file, content);
}

/** Judged by JSON.parse, read as YAML: valid JSON is YAML, whose parser does not pass over a key that stands twice. */
function parseJson(file: string, content: string): unknown {
  try {
    JSON.parse(content);
  } catch (cause) {
    const position = /at position (\d+)/.exec((cause as Error).message)?.[1];
    const line = position === undefined ? undefined : content.slice(0, Number(position)).split('\n').length;
    throw configErrors.syntax(file, line, cause);
  }
  return parseYaml(file, content);
}

function parseYaml(file: string, content: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(content, { lineCounter, prettyErrors: false });
  const error = document.errors[0];
  if (error) throw configErrors.syntax(file, lineCounter.linePos(error.pos[0]).line, error);
  // An empty file is an empty recipe: everything in it may be commented out.
  try {
    return document.toJS() ?? {};
  } catch (cause) {
    // Aliases of aliases, which would fill the memory.
    throw configErrors.syntax(file, undefined, cause);
  }
}

function check(file: string, raw: unknown, table: SettingTable, sections: Sections): Record<string, unknown> {
  const result = recipeSchema(table, sections).safeParse(raw);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const path = issue.path.map(String);
  const key = path.find((part) => Object.hasOwn(table, part));
  if (key !== undefined) {
    const upTo = path.slice(0, path.indexOf(key) + 1);
    const reading = readValue(table[key]!, at(raw, upTo));
    throw configErrors.badValue(file, upTo.join('.'), ...problemOf(reading, issue.message));
  }
  if (issue.code === 'unrecognized_keys') {
    const section = path[0];
    const known =
      section === undefined ? [...recipeKeys(table), ...Object.keys(sections)] : recipeKeys(table, sections[section]);
    throw configErrors.unknownKey(file, [...path, issue.keys[0]!].join('.'), known);
  }
  throw configErrors.notAnObject(file, path.join('.'), typeName(at(raw, path)));
}

function problemOf(reading: ReturnType<typeof readValue>, fallback: string): [string, string | undefined] {
  return 'problem' in reading ? [reading.problem, reading.hint] : [fallback, undefined];
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], value);
}

function typeName(value: unknown): string {
  if (value === undefined) return 'missing';
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

function rebase(value: string, base: string, folder: string): string {
  if (isAbsolute(value)) return value;
  return base === resolve(folder) ? value : relative(folder, join(base, value));
}

/** Which settings each command takes, by name. */
export type Sections = Readonly<Record<string, readonly string[]>>;

/** Settings that belong to the command line alone. */
const flagOnly = new Set(['config']);

function recipeKeys(table: SettingTable, keys: readonly string[] = Object.keys(table)): string[] {
  return keys.filter((key) => !flagOnly.has(key));
}

/**
 * The shape of a recipe: every key at the top level, for all commands, and a section per command with the keys that it takes. The
 * published JSON Schema is made from the same object.
 */
function recipeSchema(table: SettingTable, sections: Sections): z.ZodType<Record<string, unknown>> {
  const shape: Record<string, z.ZodType> = {
    $schema: z.string().describe('where the JSON Schema of this file is').optional(),
  };
  for (const key of recipeKeys(table)) shape[key] = setting(table[key]!);
  for (const [command, keys] of Object.entries(sections)) {
    const own = Object.fromEntries(recipeKeys(table, keys).map((key) => [key, setting(table[key]!)]));
    if (Object.keys(own).length === 0) continue;
    shape[command] = z.strictObject(own).describe(`settings of 'qdq ${command}' alone`).optional();
  }
  return z.strictObject(shape);
}

/** The published schema, with a line end, as it stands in `qdq.schema.json`. */
export function jsonSchema(table: SettingTable, sections: Sections): string {
  const schema = z.toJSONSchema(recipeSchema(table, sections), { io: 'input', target: 'draft-7' });
  return `${JSON.stringify({ title: 'qdq recipe', ...schema }, undefined, 2)}\n`;
}

function setting(setting: Setting): z.ZodType {
  const meta = {
    description: setting.describe,
    ...(setting.default === undefined ? {} : { default: setting.default }),
  };
  return setting.schema.meta(meta).optional();
}
