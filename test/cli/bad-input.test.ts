/**
 * Bad input, one case each, through the whole command: one clear line that names file, node or tensor and cause, a remedy,
 * exit code 2 or 3, nothing half-written, the input untouched.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import { encodeModel, loadModel } from '../../src/onnx/model-file.ts';
import type { ModelProto } from '../../src/onnx/messages.ts';
import { Tensor } from '../../src/onnx/tensor.ts';
import { digits, run, temporaryFolder } from './run.ts';

const calib = resolve(import.meta.dirname, '../../fixtures/digits/calib');
const spec = 'channels=gray scale=1/255 mean=.5 std=.5';
const bytes = readFileSync(digits);

let folder = '';
const at = (name: string): string => join(folder, name);
beforeEach(() => {
  folder = temporaryFolder();
  writeFileSync(at('model.onnx'), bytes);
});

const hash = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

interface Expected {
  readonly exitCode: 2 | 3;
  readonly says: readonly (string | RegExp)[];
}

/** Runs quantize and checks everything that must hold of a refusal. */
async function refused(words: readonly string[], { exitCode, says }: Expected, model = 'model.onnx'): Promise<void> {
  const files = readdirSync(folder).sort();
  const before = files.includes(model) ? hash(at(model)) : undefined;
  const outcome = await run(['quantize', at(model), '-o', at('out.onnx'), '--threads', '1', ...words]);
  const lines = outcome.stderr
    .split('\n')
    .filter((line) => line.startsWith('qdq: error:') || line.startsWith('  hint:'));
  expect(outcome.exitCode, outcome.stderr).toBe(exitCode);
  expect(lines[0], outcome.stderr).toMatch(/^qdq: error: \S/);
  expect(lines, 'one error line and one hint').toHaveLength(2);
  for (const text of says)
    expect(lines.join('\n')).toMatch(
      typeof text === 'string' ? new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')) : text,
    );
  expect(outcome.stdout).toBe('');
  expect(readdirSync(folder).sort(), 'nothing written').toEqual(files);
  if (before !== undefined) expect(hash(at(model))).toBe(before);
}

const data = ['--data', calib, '--preprocess', spec, '--samples', '8'];

function changed(change: (model: ModelProto) => void): void {
  const { proto } = loadModel(at('model.onnx'));
  change(proto);
  writeFileSync(at('changed.onnx'), encodeModel(proto));
}

describe('the model', () => {
  it('is missing: the nearest name is offered', () =>
    refused(data, { exitCode: 2, says: ['mode.onnx', 'model.onnx'] }, 'mode.onnx'));

  it('is empty', () => {
    writeFileSync(at('empty.onnx'), '');
    return refused(data, { exitCode: 3, says: ['empty.onnx', /empty/] }, 'empty.onnx');
  });

  it('is a text file', () => {
    writeFileSync(at('text.onnx'), 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 10\n');
    return refused(data, { exitCode: 3, says: ['text.onnx', /git.?lfs/i] }, 'text.onnx');
  });

  it('is cut short', () => {
    writeFileSync(at('cut.onnx'), bytes.subarray(0, bytes.length / 2));
    return refused(data, { exitCode: 3, says: ['cut.onnx', /truncated|cut|ends/] }, 'cut.onnx');
  });

  const external = (location: string): void =>
    changed((model) => {
      const tensor = model.graph!.initializer!.find((t) => Tensor.fromProto(t).size > 100)!;
      const length = Tensor.fromProto(tensor).byteLength;
      delete tensor.rawData;
      tensor.dataLocation = 1;
      tensor.externalData = [
        { key: 'location', value: location },
        { key: 'length', value: String(length) },
      ];
    });

  it('lacks its external data', () => {
    external('weights.bin');
    return refused(data, { exitCode: 3, says: ['weights.bin'] }, 'changed.onnx');
  });

  it.each(['../weights.bin', '/etc/passwd'])('reaches outside its folder: %s', (location) => {
    external(location);
    return refused(data, { exitCode: 3, says: [location, /folder/] }, 'changed.onnx');
  });

  it('reaches outside its folder through a link', () => {
    external('link.bin');
    symlinkSync('/etc/passwd', at('link.bin'));
    return refused(data, { exitCode: 3, says: ['link.bin', /link/] }, 'changed.onnx');
  });

  it('holds NaN: tensor, node and sample are named', () => {
    const file = loadModel(at('model.onnx'));
    const model = modelFromProto(file.proto, file.dir);
    const conv = [...model.graph.nodes()].find((node) => node.opType === 'Conv')!;
    const weight = conv.input(1)!;
    const values = Float32Array.from(weight.constant!.floats());
    values[0] = NaN;
    weight.initializer = Tensor.of(weight.name, 'float32', [...weight.constant!.dims], values);
    writeFileSync(at('changed.onnx'), encodeModel(modelToProto(model)));
    return refused(data, { exitCode: 3, says: [/NaN/, conv.name, '.png'] }, 'changed.onnx');
  });
});

describe('the samples', () => {
  it('are not there', () => {
    mkdirSync(at('images'));
    return refused(['--data', at('images')], { exitCode: 3, says: ['images'] });
  });

  it('are damaged', () => {
    mkdirSync(at('images'));
    for (const name of ['a.png', 'b.png']) writeFileSync(join(at('images'), name), 'no image');
    return refused(['--data', at('images'), '--preprocess', spec], { exitCode: 3, says: [/[ab]\.png/] });
  });

  it('have the wrong shape', () =>
    refused(['--data', calib, '--preprocess', `${spec} crop=8`], { exitCode: 2, says: ['image', '16', '8'] }));

  it('are not given', () => refused([], { exitCode: 2, says: ['--data', '--data random'] }));
});

describe('the words', () => {
  it('misspell a node', () =>
    refused([...data, '--exclude', '/steam/stem.0/Conv'], {
      exitCode: 2,
      says: ["did you mean '/stem/stem.0/Conv'?"],
    }));

  it('misspell an operator type', () =>
    refused([...data, '--exclude', 'Covn'], { exitCode: 2, says: ["did you mean 'Conv'?"] }));

  it('misspell an option', () => refused([...data, '--obsrever', 'minmax'], { exitCode: 2, says: ["'--observer'"] }));

  it('misspell a key of the recipe', () => {
    writeFileSync(at('recipe.json'), '{"smaples": 4}');
    return refused([...data, '--config', at('recipe.json')], {
      exitCode: 2,
      says: ['recipe.json', 'smaples', "'samples'"],
    });
  });

  it('name the input as output', async () => {
    const before = hash(at('model.onnx'));
    const outcome = await run(['quantize', at('model.onnx'), ...data, '-o', at('model.onnx')]);
    expect(outcome).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/qdq: error: .*output/) });
    expect(hash(at('model.onnx'))).toBe(before);
  });
});

describe('the same command', () => {
  it('gives the same bytes twice, and with 1 and 2 threads', async () => {
    const made = async (name: string, threads: string): Promise<string> => {
      const words = ['quantize', at('model.onnx'), ...data, '-o', at(name), '--threads', threads, '--no-report', '-q'];
      expect((await run(words)).exitCode).toBe(0);
      return hash(at(name));
    };
    const first = await made('a.onnx', '1');
    expect(await made('b.onnx', '1')).toBe(first);
    expect(await made('c.onnx', '2')).toBe(first);
  });
});
