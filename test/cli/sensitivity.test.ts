/** `qdq sensitivity` and the tasks of `qdq compare`, as a user runs them. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { digits, run, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const int8 = join(folder, 'int8.onnx');
const report = join(folder, 'int8.report.json');
const images = resolve(import.meta.dirname, '../../fixtures/digits/test');
const data = [
  '--data',
  images,
  '--preprocess',
  'channels=gray scale=1/255 mean=.5 std=.5',
  '--samples',
  '16',
  '--threads',
  '1',
];

beforeAll(async () => {
  expect((await run(['quantize', digits, ...data, '-o', int8, '--report', report])).exitCode).toBe(0);
});

describe('sensitivity', () => {
  it('ranks layers, proves a list and exits with 1 when no list does', async () => {
    const reached = await run(['sensitivity', digits, ...data, '--until', 'output.sqnr >= 5', '--measure', '1']);
    expect(reached).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/reached with no layer left float/) });
    const missed = await run([
      'sensitivity',
      digits,
      ...data,
      '--until',
      'output.sqnr >= 500',
      '--measure',
      '1',
      '--json',
    ]);
    expect(missed.exitCode).toBe(1);
    expect(JSON.parse(missed.stdout).sensitivity.until).toMatchObject({ gate: 'output.sqnr >= 500', pass: false });
  });

  it('judges a given int8 model and adds the result to a report', async () => {
    const words = ['sensitivity', digits, '--int8', int8, ...data, '--measure', '2', '--into', report, '--json'];
    const { exitCode, stdout } = await run(words);
    expect(exitCode).toBe(0);
    const { sensitivity } = JSON.parse(stdout);
    expect(JSON.parse(readFileSync(report, 'utf8')).sensitivity).toEqual(sensitivity);
    expect(sensitivity.layers[0].node).toMatch(/Conv|Gemm/);
  });

  it('refuses gates that layers cannot be judged by', async () => {
    const refused = await run(['sensitivity', digits, ...data, '--until', 'size.ratio >= 3']);
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('leaving layers float') });
  });
});

describe('compare --task', () => {
  const compare = ['compare', digits, int8, ...data, '--no-layers'];

  it('judges a task and gates on it', async () => {
    const words = [...compare, '--task', 'regression', '--gate', 'regression.rmse <= 0.000001', '--json'];
    const { exitCode, stdout } = await run(words);
    expect(exitCode).toBe(1);
    const { task } = JSON.parse(stdout);
    expect(task.map(({ metric }: { metric: string }) => metric)).toEqual(
      expect.arrayContaining(['top1', 'regression.rmse']),
    );
  });

  it('names outputs and settings that do not fit', async () => {
    expect(await run([...compare, '--task', 'detection'])).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining("the outputs are 'logits' [16, 10]"),
    });
    expect(await run([...compare, '--task', 'detection', '--task-option', 'skore=1'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('NAME one of score'),
    });
    expect((await run([...compare, '--task-option', 'score=1'])).stderr).toContain('no --task');
  });
});
