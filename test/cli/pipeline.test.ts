/** The commands that work, end to end on a small model: what they write, print and exit with. */
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/onnx/model-file.ts';
import { digits, run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const inFolder = (name: string): string => join(folder, name);
const model = inFolder('model.onnx');
const images = resolve(import.meta.dirname, '../../fixtures/digits/test');
const preprocess = ['--preprocess', 'channels=gray scale=1/255 mean=.5 std=.5'];
const data = ['--data', images, ...preprocess, '--samples', '16', '--threads', '1'];

beforeAll(() => copyFileSync(digits, model));

describe('fuse', () => {
  it('writes the fused model and shows what it did', async () => {
    const { exitCode, stdout, stderr } = await run(['fuse', model, '-o', inFolder('fused.onnx'), '--threads', '1']);
    expect({ exitCode, stderr: stderr.includes('error') }).toEqual({ exitCode: 0, stderr: false });
    expect(stdout).toMatch(/21 nodes -> 14 nodes/);
    expect(stdout).toMatch(/conv-bn +5 x/);
    expect(loadModel(inFolder('fused.onnx')).proto.graph!.node).toHaveLength(14);
  });

  it('refuses to skip what there is not', async () => {
    expect(await run(['fuse', model, '-o', inFolder('x.onnx'), '--skip', 'conv-nb'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("did you mean 'conv-bn'?"),
    });
    expect(existsSync(inFolder('x.onnx'))).toBe(false);
  });
});

describe('calibrate and quantize', () => {
  it('work through a state file', async () => {
    const state = inFolder('ranges.state');
    const calibrated = await run(['calibrate', model, ...data, '-o', state, '--json']);
    expect(calibrated.exitCode).toBe(0);
    expect(JSON.parse(calibrated.stdout)).toMatchObject({ outputPath: state, samples: 16 });
    const words = [
      'quantize',
      model,
      '--state',
      state,
      '--eval',
      images,
      ...preprocess,
      '--threads',
      '1',
      '-o',
      inFolder('from-state.onnx'),
    ];
    expect(await run([...words, '--no-report', '-q'])).toMatchObject({ exitCode: 0, stderr: '' });
    expect(existsSync(inFolder('from-state.onnx'))).toBe(true);
    expect(existsSync(inFolder('from-state.report.json'))).toBe(false);
  });

  it('write model and report beside the input by default, and say so', async () => {
    const { exitCode, stdout, stderr } = await run(['quantize', model, ...data, '--gate', 'agreement >= 0.5']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ *PASS /);
    expect(stderr).toContain('model.int8.onnx');
    expect(JSON.parse(readFileSync(inFolder('model.int8.report.json'), 'utf8'))).toMatchObject({
      schema: 1,
      verdict: 'pass',
    });
    const ops = loadModel(inFolder('model.int8.onnx')).proto.graph!.node!.map(({ opType }) => opType);
    expect(ops).toContain('QuantizeLinear');
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('exit with 1 when a gate fails, and keep the model', async () => {
    const out = inFolder('gated.onnx');
    const { exitCode, stdout } = await run([
      'quantize',
      model,
      ...data,
      '-o',
      out,
      '--gate',
      'output.sqnr >= 200',
      '--json',
    ]);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      outputPath: out,
      report: { verdict: 'fail', gates: [{ pass: false }] },
    });
    expect(existsSync(out)).toBe(true);
  });

  it('take settings from a recipe, flags first', async () => {
    const recipe = inFolder('recipe.yaml');
    writeFileSync(
      recipe,
      `data: ${images}\npreprocess: channels=gray scale=1/255 mean=.5 std=.5\nsamples: 16\nthreads: 1\nquantize:\n  output: by-recipe.onnx\n  report: by-recipe.json\n  gate: agreement >= 0\n`,
    );
    expect(await run(['quantize', model, '--config', recipe, '--exclude', 'Gemm', '--json', '-q'])).toMatchObject({
      exitCode: 0,
    });
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['by-recipe.onnx', 'by-recipe.json']));
    expect(await run(['quantize', model, '--config', recipe, '--samples', '0'])).toMatchObject({ exitCode: 2 });
  });

  it('compare nothing without a report, and then take no gate', async () => {
    const out = inFolder('alone.onnx');
    const made = await run(['quantize', model, ...data, '-o', out, '--no-report', '-q']);
    expect(made).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('quantized nodes') });
    expect(readdirSync(folder)).toContain('alone.onnx');
    expect(await run(['quantize', model, ...data, '-o', out, '--no-report', '--gate', 'agreement >= 0'])).toMatchObject(
      {
        exitCode: 2,
        stderr: expect.stringContaining('--no-report'),
      },
    );
  });

  it('need samples', async () => {
    expect(await run(['quantize', model, '--json'])).toMatchObject({
      exitCode: 2,
      stdout: expect.stringContaining('DATA_NONE'),
    });
    expect(await run(['quantize', model, '--data', inFolder('nowhere')])).toMatchObject({ exitCode: 2 });
  });

  it('refuse a gate that means nothing before any work', async () => {
    const out = inFolder('never.onnx');
    expect(await run(['quantize', model, ...data, '-o', out, '--gate', 'top1.dorp <= 1%'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("did you mean 'top1.drop'?"),
    });
    expect(existsSync(out)).toBe(false);
  });
});

describe('compare', () => {
  it('prints the report and decides the exit code', async () => {
    const report = inFolder('compare.json');
    const words = ['compare', model, inFolder('model.int8.onnx'), '--data', images, ...preprocess, '--threads', '1'];
    const { exitCode, stdout } = await run([
      ...words,
      '--samples',
      '20',
      '--report',
      report,
      '--gate',
      'size.ratio >= 1.5',
    ]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('compare.json');
    expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({
      data: { evaluation: { n: 20, labelled: true } },
      // The model reads these digits well, so a low figure here means that images, labels or preprocessing went astray.
      task: [{ metric: 'top1', float: expect.toSatisfy((top1: number) => top1 >= 0.9) }, { metric: 'top5' }],
    });
    expect((await run([...words, '--samples', '8', '--gate', 'size.ratio >= 100', '--json'])).exitCode).toBe(1);
  });

  it('speaks of a model that is not one', async () => {
    const bad = inFolder('bad.onnx');
    writeFileSync(bad, 'no model');
    expect(await run(['compare', model, bad, '--data', images])).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('bad.onnx'),
    });
  });
});
