/** The compiled command as the shell sees it: exit codes, streams, signals, the recipe of the current folder. */
import { spawn as start } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { binary } from '../support/compile.ts';
import { digits, spawn, temporaryFolder } from './run.ts';

it('prints its version', () => {
  expect(spawn(['--version'])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    stderr: '',
  });
});

it('keeps errors off stdout', () => {
  const outcome = spawn(['quantize', 'm.onnx', '--observr', 'x']);
  expect(outcome).toEqual({
    exitCode: 2,
    stdout: '',
    stderr: "qdq: error: unknown option '--observr'\n  hint: did you mean '--observer'?\n",
  });
});

it('prints JSON that parses, alone on stdout', () => {
  const { exitCode, stdout, stderr } = spawn(['inspect', digits, '--json']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ ir: 8, opsets: { 'ai.onnx': 17 } });
});

it('exits with 3 for a damaged model and with 2 for a missing one', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'bad.onnx'), 'no model at all');
  expect(spawn(['inspect', 'bad.onnx'], folder)).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining('bad.onnx'),
  });
  expect(spawn(['inspect', 'none.onnx'], folder)).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('none.onnx'),
  });
});

it('says that an old Node.js is too old', () => {
  const old =
    'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.18.3"}})';
  const { exitCode, stdout, stderr } = spawn(['--version'], undefined, ['--import', old]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
  expect(stderr).toMatch(/Node\.js 20\.18\.3 is too old\n.*20\.19/);
});

it('uses the recipe of the current folder, and says so', () => {
  const folder = temporaryFolder();
  copyFileSync(digits, join(folder, 'model.onnx'));
  writeFileSync(join(folder, 'qdq.config.yaml'), 'target: ort-cpu-arm64\nquantize:\n  samples: 10\n');
  const { exitCode, stdout, stderr } = spawn(['inspect', 'model.onnx'], folder);
  expect(exitCode).toBe(0);
  expect(stderr).toBe('qdq: settings from qdq.config.yaml\n');
  expect(stdout).toContain('int8 on ort-cpu-arm64');
  expect(spawn(['inspect', 'model.onnx', '--target', 'ort-cpu-x64', '-q'], folder)).toMatchObject({
    stdout: expect.stringContaining('int8 on ort-cpu-x64:'),
    stderr: '',
  });
});

it('names file, key and nearest match of a wrong recipe', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'qdq.config.json'), '{ "quantize": { "perTenser": true } }');
  expect(spawn(['inspect', 'model.onnx'], folder)).toEqual({
    exitCode: 2,
    stdout: '',
    stderr: "qdq: error: qdq.config.json: unknown key 'quantize.perTenser'\n  hint: did you mean 'perTensor'?\n",
  });
});

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends it with %i', async (signal, code) => {
  const folder = temporaryFolder();
  // A recipe that never finishes loading is the simplest long work.
  writeFileSync(
    join(folder, 'slow.mjs'),
    'process.stderr.write("working\\n"); setInterval(() => {}, 1000); await new Promise(() => {});',
  );
  const child = start(process.execPath, [binary, 'inspect', digits, '--config', 'slow.mjs'], { cwd: folder });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    if (text.includes('working')) child.kill(signal);
  });
  const [exitCode] = (await once(child, 'close')) as [number];
  expect(exitCode).toBe(code);
  expect(stderr).toContain('qdq: interrupted');
});

it('does not mind a reader that closes the pipe', async () => {
  const child = start(process.execPath, [binary, 'quantize', '--help']);
  child.stdout.destroy();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [exitCode] = (await once(child, 'close')) as [number];
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});

it('prints a completion script and completes', () => {
  expect(spawn(['completion']).stdout).toContain('qdq --get-yargs-completions');
  expect(spawn(['--get-yargs-completions', 'qdq', 'quantize', '--act']).stdout).toContain('--activation-type');
});
