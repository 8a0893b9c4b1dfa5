/** The table of settings and the commands that use it: what every row and every command must hold. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { commands, sections } from '../../src/cli/commands/index.ts';
import { settings, type SettingName } from '../../src/settings/settings.ts';
import { flagName, keyName, readValue, type Setting } from '../../src/settings/setting.ts';
import { jsonSchema } from '../../src/settings/recipe.ts';
import { run } from './run.ts';

const rows = Object.entries(settings) as [SettingName, Setting][];

it.each(rows)('%s: a description, and a default that its own schema takes', (key, option) => {
  expect(option.describe).toMatch(/^[a-zA-Z'].*[^.]$/);
  expect(keyName(flagName(key))).toBe(key);
  if (option.default !== undefined) expect(readValue(option, option.default)).toEqual({ value: option.default });
  expect(readValue(option, null)).toHaveProperty('problem');
});

it('has no two options with one letter, and none named after a command', () => {
  const letters = ['h', ...rows.flatMap(([, { alias }]) => alias ?? [])];
  expect(new Set(letters).size).toBe(letters.length);
  // A section of a recipe must not share its name with a setting.
  expect(commands.filter((each) => each.settings.includes('config') && each.name in settings)).toEqual([]);
});

it('has no option that no command takes', () => {
  const taken = new Set(commands.flatMap((command) => command.settings));
  expect(rows.map(([key]) => key).filter((key) => !taken.has(key))).toEqual([]);
});

it.each(commands.map((command) => [command.name, command] as const))(
  '%s: examples that parse',
  async (_name, command) => {
    for (const [line] of command.examples) {
      const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
      const { stdout } = await run([...words, '--json']);
      const code = (JSON.parse(stdout) as { error?: { code: string } }).error?.code ?? '';
      // The files do not exist; the words must be right.
      expect(code).not.toMatch(/^CLI_(?!NO_FOLDER)|INTERNAL/);
    }
  },
);

it('publishes a JSON Schema that is up to date', () => {
  const published = readFileSync(resolve(import.meta.dirname, '../../qdq.schema.json'), 'utf8');
  expect(published, 'run: npx tsc -p tsconfig.json && node dist/bin/dev/generate-schema.js').toBe(
    jsonSchema(settings, sections),
  );
});
