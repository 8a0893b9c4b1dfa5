/**
 * Recipe files: `--config FILE`, or `qdq.config.*` in the current folder. A recipe is checked as a whole, the sections
 * of other commands included, before anything of it is used. Paths in it are relative to the file, like those of a
 * tsconfig.
 */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LineCounter, parseDocument } from 'yaml';
import { configErrors } from '../errors/cli.ts';
import { withoutMark } from '../onnx/strings.ts';
import { readValue, type SettingTable } from './setting.ts';
import { recipeKeys, recipeSchema, type Sections } from './recipe-schema.ts';

export const recipeExtensions = ['.json', '.yaml', '.yml', '.mjs'] as const;

export interface Recipe {
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
