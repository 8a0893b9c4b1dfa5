import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { choice, flag, integer, list, negatablePath, path } from '../../src/settings/setting.ts';
import { findRecipe, readRecipe } from '../../src/settings/recipe.ts';
import type { QdqError } from '../../src/errors/qdq-error.ts';

const basics = { group: 'G', describe: 'd', stages: ['quantize'] } as const;
const table = {
  data: path({ ...basics, words: ['random'] }),
  samples: integer({ ...basics, min: 1 }),
  perTensor: flag(basics),
  observer: choice(['minmax', 'entropy'], basics),
  exclude: list({ ...basics, expects: 'a name' }),
  report: negatablePath(basics),
  config: path(basics),
};
const sections = {
  quantize: ['data', 'samples', 'perTensor', 'exclude', 'report', 'config'],
  calibrate: ['data', 'samples', 'observer'],
};

function folderWith(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-config-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

async function settings(name: string, content: string, command = 'quantize') {
  const folder = folderWith({ [name]: content });
  return (await readRecipe(name, false, folder, table, sections)).settings(command);
}

async function refusal(name: string, content: string): Promise<QdqError> {
  return settings(name, content).then(
    () => expect.unreachable(),
    (error: QdqError) => error,
  );
}

it.each(['qdq.config.json', 'qdq.config.yaml'])(
  'reads %s as editors of Windows save it, with a byte order mark',
  async (name) => {
    expect(await settings(name, '\uFEFF{ "samples": 3 }')).toEqual({ samples: 3 });
  },
);

/** Nine to the power of nine elements, of which a parser that follows them makes as many. */
const bomb = Array.from('abcdefghij', (name, i) => {
  const inner = i === 0 ? 'x' : `*${'abcdefghij'[i - 1]}`;
  return `${name}: &${name} [${Array.from({ length: 9 }, () => inner).join(',')}]\n`;
}).join('');

describe('formats', () => {
  const expected = { samples: 8, perTensor: true, exclude: ['Softmax'] };
  it.each([
    ['r.json', '{"$schema": "x", "samples": 8, "perTensor": true, "exclude": ["Softmax"]}'],
    ['r.yaml', '# comment\nsamples: 8\nperTensor: true\nexclude: Softmax\n'],
    ['r.yml', '{samples: 8, perTensor: true, exclude: [Softmax]}'],
    ['r.mjs', 'const samples = 4 * 2; export default { samples, perTensor: true, exclude: ["Softmax"] };'],
  ])('%s', async (name, content) => expect(await settings(name, content)).toEqual(expected));

  it('takes an empty YAML file for an empty recipe', async () => {
    expect(await settings('r.yaml', '# samples: 8\n')).toEqual({});
  });
});

describe('sections', () => {
  const content =
    'samples: 8\nobserver: entropy\nquantize:\n  samples: 2\n  report: false\ncalibrate:\n  samples: 100\n';

  it('go over the top level for their command', async () => {
    expect(await settings('r.yaml', content)).toEqual({ samples: 2, report: false });
    expect(await settings('r.yaml', content, 'calibrate')).toEqual({ samples: 100, observer: 'entropy' });
  });

  it('give nothing to a command that takes none of it', async () => {
    expect(await settings('r.yaml', content, 'inspect')).toEqual({});
  });
});

describe('paths', () => {
  it('are relative to the file', async () => {
    const folder = folderWith({ 'recipes/r.yaml': 'data: ../images\nreport: out.json\n' });
    const recipe = await readRecipe('recipes/r.yaml', false, folder, table, sections);
    expect(recipe.settings('quantize')).toEqual({ data: 'images', report: join('recipes', 'out.json') });
  });

  it('stay as they are beside the file, when absolute, and when they are words', async () => {
    expect(await settings('r.yaml', 'data: ./images\nreport: /tmp/r.json\n')).toEqual({
      data: './images',
      report: '/tmp/r.json',
    });
    const folder = folderWith({ 'recipes/r.yaml': 'data: random\n' });
    expect((await readRecipe('recipes/r.yaml', false, folder, table, sections)).settings('quantize')).toEqual({
      data: 'random',
    });
  });
});

describe('refusals', () => {
  it.each([
    ['unknown key', '{"smaples": 8}', 'CONFIG_UNKNOWN_KEY', "r.json: unknown key 'smaples'", "did you mean 'samples'?"],
    ['flag name for a key', '{"per-tensor": true}', 'CONFIG_UNKNOWN_KEY', "'per-tensor'", "did you mean 'perTensor'?"],
    ['unknown section', '{"quantise": {}}', 'CONFIG_UNKNOWN_KEY', "'quantise'", "did you mean 'quantize'?"],
    [
      'unknown key in a section',
      '{"quantize": {"reprot": "x"}}',
      'CONFIG_UNKNOWN_KEY',
      "'quantize.reprot'",
      "did you mean 'report'?",
    ],
    [
      "another command's key",
      '{"quantize": {"observer": "minmax"}}',
      'CONFIG_UNKNOWN_KEY',
      "'quantize.observer'",
      'the keys known here',
    ],
    ['recipe within a recipe', '{"config": "x.json"}', 'CONFIG_UNKNOWN_KEY', "'config'", ''],
    ['wrong type', '{"samples": "8"}', 'CONFIG_BAD_VALUE', "r.json: 'samples': '8' is not a whole number", ''],
    ['NaN of JSON', '{"samples": null}', 'CONFIG_BAD_VALUE', 'null is not', ''],
    ['wrong choice', '{"observer": "entorpy"}', 'CONFIG_BAD_VALUE', "'observer': 'entorpy'", "did you mean 'entropy'?"],
    ['wrong value in a section', '{"quantize": {"samples": 0}}', 'CONFIG_BAD_VALUE', "'quantize.samples': 0", ''],
    ['wrong item of a list', '{"exclude": ["a", 1]}', 'CONFIG_BAD_VALUE', '\'exclude\': ["a",1]', ''],
    ['array', '[]', 'CONFIG_NOT_AN_OBJECT', 'the recipe', ''],
    ['section that is no object', '{"quantize": 3}', 'CONFIG_NOT_AN_OBJECT', "'quantize'", ''],
    ['broken JSON', '{"samples": 8,\n "perTensor"}', 'CONFIG_SYNTAX', 'r.json', ''],
    ['a key twice', '{"samples": 8, "samples": 9}', 'CONFIG_SYNTAX', 'r.json:1:', ''],
  ])('%s', async (_name, content, code, message, hint) => {
    const error = await refusal('r.json', content);
    expect(error).toMatchObject({ kind: 'usage', code });
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('\n');
    expect(error.hint ?? '').toContain(hint);
  });

  it.each([
    ['broken YAML', 'r.yaml', 'samples: 8\nperTensor: [\n', 'CONFIG_SYNTAX', /r\.yaml:\d+:/],
    ['aliases of aliases', 'r.yaml', bomb, 'CONFIG_SYNTAX', /r\.yaml: cannot be parsed/],
    ['a key twice', 'r.yaml', 'samples: 8\nsamples: 9\n', 'CONFIG_SYNTAX', /r\.yaml:2:.*unique/],
    ['a module that throws', 'r.mjs', 'throw new Error("no such luck");', 'CONFIG_MODULE', /no such luck/],
    ['a module without default export', 'r.mjs', 'export const samples = 8;', 'CONFIG_NOT_AN_OBJECT', /missing/],
    ['an unknown extension', 'r.toml', 'samples = 8', 'CONFIG_EXTENSION', /r\.toml/],
  ])('%s', async (_name, file, content, code, message) => {
    const error = await refusal(file, content);
    expect(error).toMatchObject({ kind: 'usage', code });
    expect(error.message).toMatch(message);
  });

  it('of a file that is not there', async () => {
    await expect(readRecipe('none.json', false, tmpdir(), table, sections)).rejects.toMatchObject({
      code: 'CONFIG_NOT_FOUND',
    });
  });
});

describe('findRecipe', () => {
  it.each(['json', 'yaml', 'yml', 'mjs'])('finds qdq.config.%s', async (extension) => {
    expect(await findRecipe(folderWith({ [`qdq.config.${extension}`]: '', 'qdq.config.toml': '' }))).toBe(
      `qdq.config.${extension}`,
    );
  });

  it('finds nothing in an empty folder', async () => expect(await findRecipe(folderWith({}))).toBeUndefined());

  it('refuses to choose between two', async () => {
    await expect(findRecipe(folderWith({ 'qdq.config.json': '{}', 'qdq.config.yaml': '' }))).rejects.toMatchObject({
      code: 'CONFIG_SEVERAL',
    });
  });
});
