/**
 * The shape of a recipe, made from the table of settings: every key at the top level (for all commands), and one
 * optional section per command with the keys that this command takes. The published JSON Schema is made from the same
 * object.
 */
import * as z from 'zod';
import type { Setting, SettingTable } from './setting.ts';

/** Which settings each command takes, by name. */
export type Sections = Readonly<Record<string, readonly string[]>>;

/** Settings that belong to the command line alone. */
const flagOnly = new Set(['config']);

export function recipeKeys(table: SettingTable, keys: readonly string[] = Object.keys(table)): string[] {
  return keys.filter((key) => !flagOnly.has(key));
}

export function recipeSchema(table: SettingTable, sections: Sections): z.ZodType<Record<string, unknown>> {
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
