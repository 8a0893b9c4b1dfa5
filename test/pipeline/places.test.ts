/** Every command, every option that writes, every file that a run reads: none is ever replaced. */
import { chmodSync, linkSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Command } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands/index.ts';
import { main } from '../../src/cli/main.ts';
import { flagOf, settings, type SettingName } from '../../src/settings/settings.ts';
import type { Setting } from '../../src/settings/setting.ts';
import type { QdqError } from '../../src/errors/qdq-error.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { saveModel } from '../../src/onnx/model-file.ts';
import { checkPlaces, readFiles, writtenBy } from '../../src/pipeline/places.ts';
import { temporaryFolder } from '../data/helpers.ts';
import { buildProto, f32, node } from '../support/build.ts';

const folder = temporaryFolder();
const place = (name: string): string => join(folder, name);

/** A model and its weights, which are external data in a file of another name. */
function model(name: string): { path: string; weights: string } {
  const proto = buildProto({
    inputs: { x: [1, 16] },
    initializers: { w: f32([16, 32]) },
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    outputs: ['y'],
  });
  const path = place(`${name}.onnx`);
  saveModel(modelToProto(modelFromProto(proto)), path, { externalData: 'always', threshold: 1 });
  return { path, weights: `${path}.data` };
}

const float = model('float');
const other = model('other');
const files: Record<string, string> = {};
for (const name of [
  'data.npz',
  'judge.npz',
  'reader.mjs',
  'a.state',
  'report.json',
  'metric.mjs',
  'base.json',
  'recipe.json',
  'tokens.json',
  'augment.mjs',
]) {
  files[name] = place(name);
  writeFileSync(files[name], name === 'recipe.json' ? '{}' : name);
}

/** What each option that reads is given here, and the files of it that must stay. */
const given: Record<string, { word: string; files: readonly string[] }> = {
  model: { word: float.path, files: [float.path, float.weights] },
  float: { word: float.path, files: [float.path, float.weights] },
  quant: { word: other.path, files: [other.path, other.weights] },
  int8: { word: other.path, files: [other.path, other.weights] },
  teacher: { word: other.path, files: [other.path, other.weights] },
  data: { word: files['data.npz']!, files: [files['data.npz']!] },
  eval: { word: files['judge.npz']!, files: [files['judge.npz']!] },
  reader: { word: files['reader.mjs']!, files: [files['reader.mjs']!] },
  state: { word: files['a.state']!, files: [files['a.state']!] },
  states: { word: files['a.state']!, files: [files['a.state']!] },
  file: { word: files['report.json']!, files: [files['report.json']!] },
  metric: { word: files['metric.mjs']!, files: [files['metric.mjs']!] },
  baseline: { word: files['base.json']!, files: [files['base.json']!] },
  into: { word: files['report.json']!, files: [files['report.json']!] },
  config: { word: files['recipe.json']!, files: [files['recipe.json']!] },
  augment: { word: files['augment.mjs']!, files: [files['augment.mjs']!] },
  preprocess: { word: `tokenizer=${files['tokens.json']!}`, files: [files['tokens.json']!] },
};
const positional: Record<string, string> = {
  MODEL: 'model',
  FLOAT: 'float',
  QUANT: 'quant',
  STATE: 'state',
  FILE: 'file',
};
const needed: Partial<Record<SettingName, string>> = { as: 'ort-json', for: 'transformers.js', output: place('new') };

/** The command line that reads all it can read. */
function wordsOf(command: Command): { words: string[]; reads: string[] } {
  // Training reads the most.
  const words = command.name === 'quantize' ? ['quantize', '--finetune'] : [command.name];
  const reads: string[] = [];
  for (const { name } of command.positionals) {
    const { word, files: own } = given[positional[name]!]!;
    words.push(word);
    reads.push(...own);
  }
  for (const key of command.settings) {
    if (!Object.hasOwn(readFiles, key) || key === 'into' || key === 'reader') continue;
    const { word, files: own } = given[key]!;
    words.push(`--${flagOf(key)}`, word);
    reads.push(...own);
  }
  return { words, reads };
}

async function run(words: readonly string[]): Promise<{ code: string; message: string }> {
  let text = '';
  const stream = { write: (piece: string) => ((text += piece), true), on: () => stream };
  const silent = { write: () => true };
  await main([...words, '--json'], {
    ...{ stdout: stream, stderr: silent, stdin: process.stdin, env: process.env },
  } as unknown as Parameters<typeof main>[1]);
  return (JSON.parse(text) as { error: { code: string; message: string } }).error;
}

function refusalOf(asked: object): QdqError | undefined {
  try {
    checkPlaces(asked);
    return undefined;
  } catch (error) {
    return error as QdqError;
  }
}

/** What the words come to in the library: positionals by their names, options by theirs. */
function optionsOf(command: Command, words: readonly string[]): Record<string, unknown> {
  const rest = [...words.slice(1)];
  const asked: Record<string, unknown> = {};
  let places = 0;
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const key = command.settings.find((each) => `--${flagOf(each)}` === word);
    if (key === undefined) asked[positional[command.positionals[places++]!.name]!] = word;
    else asked[key] = (settings[key] as Setting).kind === 'flag' ? true : rest.shift();
  }
  return asked;
}

const original = new Map(
  [...new Set(Object.values(given).flatMap(({ files: own }) => own))].map((path) => [path, readFileSync(path)]),
);
const writers = commands.filter((command) =>
  command.settings.some((key) => (writtenBy as readonly string[]).includes(key)),
);
const contents = (): string[] =>
  readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .sort();

describe('options that name files', () => {
  it('are all known to be read or written, those of a new command too', () => {
    const known = new Set<string>([...Object.keys(readFiles), ...writtenBy]);
    expect(Object.keys(given).toSorted()).toEqual(Object.keys(readFiles).toSorted());
    for (const command of commands) {
      const paths = command.settings.filter((key) => (settings[key] as Setting).kind === 'path');
      for (const key of paths)
        expect({ command: command.name, key, known: known.has(key) }).toEqual({
          command: command.name,
          key,
          known: true,
        });
      const reads = command.positionals
        .map(({ name }) => name)
        .filter((name) => writers.includes(command) && !positional[name]);
      expect(reads).toEqual([]);
    }
    expect(writers.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'calibrate',
        'merge',
        'export',
        'quantize',
        'prepare',
        'finetune',
        'convert',
        'fuse',
        'compare',
        'sensitivity',
        'report',
      ]),
    );
  });

  it.each(
    writers.flatMap((command) =>
      command.settings
        .filter(
          (key) =>
            (writtenBy as readonly string[]).includes(key) &&
            key !== 'github' &&
            !(command.name === 'variants' && key === 'output'),
        )
        .map((key) => [command.name, `--${flagOf(key)}`, command] as const),
    ),
  )('%s %s never replaces an input', async (_, flag, command) => {
    const { words, reads } = wordsOf(command);
    const others = flag === '--output' ? [] : command.required.includes('output') ? ['--output', needed.output!] : [];
    const also = command.required.flatMap((key) => (key === 'output' ? [] : [`--${flagOf(key)}`, needed[key]!]));
    const update = flag === '--baseline' ? ['--update-baseline'] : [];
    const own = words.filter((word, i) => word !== flag && words[i - 1] !== flag);
    const line = (named: string): string[] => [...own, ...others, ...also, ...update, flag, named];
    for (const [index, read] of reads.entries()) {
      // What a baseline is compared with may be the new one.
      if (flag === '--baseline' && read === files['base.json']) continue;
      const unique = place(`${index}.${flag.slice(2)}.${command.name}`);
      let named = read;
      if (index % 3 === 1) linkSync(read, (named = unique));
      if (index % 3 === 2) symlinkSync(read, (named = unique));
      if (flag === '--checkpoint') {
        mkdirSync((named = `${unique}.folder`));
        linkSync(read, join(named, 'checkpoint.safetensors'));
      }
      // One command line is enough for the way to the check: they take long to read.
      const error = index === 1 ? await run(line(named)) : refusalOf(optionsOf(command, line(named)));
      expect(error?.code, `${error?.message} (${read})`).toMatch(/^OUTPUT_(IS_INPUT|TWICE)$/);
    }
    for (const [path, before] of original) expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('variants replaces none in its folder', async () => {
    const out = place('set');
    mkdirSync(out);
    linkSync(float.weights, join(out, 'float_q4.onnx'));
    const { code, message } = await run(['variants', float.path, '--for', 'transformers.js', '-o', out]);
    expect(code).toBe('OUTPUT_IS_INPUT');
    expect(message).toContain('float_q4.onnx');
    expect(message).toContain(float.weights);
  });

  it('nor do the file beside the output, the other forms of a report, the summary and a working folder', async () => {
    const data = place('beside.onnx.data');
    linkSync(float.weights, data);
    expect((await run(['fuse', float.path, '-o', place('beside.onnx')])).code).toBe('OUTPUT_IS_INPUT');
    linkSync(float.weights, place('form.html'));
    const forms = ['--report', place('form.json'), '--report-format', 'html'];
    expect((await run(['compare', float.path, other.path, ...forms])).code).toBe('OUTPUT_IS_INPUT');
    process.env['GITHUB_STEP_SUMMARY'] = float.weights;
    expect((await run(['compare', float.path, other.path, '--github'])).code).toBe('OUTPUT_IS_INPUT');
    delete process.env['GITHUB_STEP_SUMMARY'];
    mkdirSync(place('late.onnx.partial'));
    const inside = join(place('late.onnx.partial'), 'float.onnx');
    linkSync(float.path, inside);
    expect((await run(['quantize', inside, '-o', place('late.onnx')])).code).toBe('OUTPUT_IS_INPUT');
  });

  it('nor do reports among samples', () => {
    const images = place('images');
    mkdirSync(images);
    writeFileSync(join(images, 'labels.csv'), 'a.png,1');
    const refusal = (path: string): string | undefined => refusalOf({ data: images, report: path })?.code;
    expect(refusal(join(images, 'labels.csv'))).toBe('OUTPUT_IS_INPUT');
    expect(refusal(join(images, 'report.csv'))).toBeUndefined();
  });
});

describe('outputs', () => {
  it('are refused before anything is read where two are one, or a folder is none or cannot be written into', async () => {
    const before = contents();
    const twice = await run(['quantize', float.path, '-o', place('o.onnx'), '--report', join(folder, '.', 'o.onnx')]);
    expect(twice.code).toBe('OUTPUT_TWICE');
    expect((await run(['quantize', float.path, '-o', place('none/o.onnx')])).code).toBe('OUTPUT_NO_FOLDER');
    expect((await run(['finetune', float.path, '-o', place('o'), '--checkpoint', files['base.json']!])).code).toBe(
      'OUTPUT_NOT_A_FOLDER',
    );
    expect((await run(['fuse', float.path, '-o', folder])).code).toBe('OUTPUT_IS_FOLDER');
    expect(contents()).toEqual(before);
  });

  it.skipIf(process.getuid?.() === 0)('are refused in a folder that may only be read', async () => {
    mkdirSync(place('locked'));
    chmodSync(place('locked'), 0o500);
    const { code } = await run([
      'quantize',
      float.path,
      '-o',
      place('o.onnx'),
      '--report',
      join(place('locked'), 'r.json'),
    ]);
    expect(code).toBe('OUTPUT_UNWRITABLE');
  });
});
