/** `qdq explain` of two models; once by the compiled binary. */
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { digits, run, spawn, temporaryFolder } from './run.ts';

const int8 = join(temporaryFolder(), 'int8.onnx');
const words = ['quantize', digits, '--data', 'random', '--samples', '4', '--no-report', '-o', int8];

beforeAll(async () => void expect(await run(words)).toMatchObject({ exitCode: 0 }));

it('lays two models side by side: nodes, conversions, latency by operator', () => {
  const { exitCode, stdout } = spawn(['explain', digits, int8, '--threads', '1']);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/of the other \d+ in int8 and \d+ in float, with \d+ conversions? per inference/);
  expect(stdout).toMatch(/Conv +\S+ \+ \S+BatchNormalization +int8 +QLinearConv/);
  expect(stdout).toMatch(/Relu +\S+ +absorbed +in QLinearConv of/);
  expect(stdout).toMatch(/^ +Conv +[\d.]+ ms +[\d.]+ ms/m);
  expect(stdout).toContain('timed on generated numbers, 1 thread');
});

it('prints the same as JSON', async () => {
  const { stdout } = await run(['explain', digits, int8, '--json', '--threads', '1']);
  expect(JSON.parse(stdout)).toMatchObject({ kind: 'pair', how: 'record', float: digits, quant: int8 });
});

it('takes one model or two', async () => {
  expect(await run(['explain'])).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('MODEL') });
  expect(await run(['explain', digits, int8, int8])).toMatchObject({ exitCode: 2 });
  expect(await run(['explain', digits, 'nothing.onnx'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('nothing.onnx'),
  });
});
