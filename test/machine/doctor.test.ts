import { expect, it } from 'vitest';
import {
  checkNode,
  checkRuntimeRelease,
  checkTemporaryFolder,
  checkTokenizers,
  examine,
} from '../../src/machine/doctor.ts';

it('finds a machine that runs these tests healthy', async () => {
  const { healthy, findings } = await examine();
  expect(healthy).toBe(true);
  expect(findings.map(({ check }) => check)).toEqual([
    'node',
    'onnxruntime',
    'int8',
    'protobufjs',
    'cpu',
    'sharp',
    'tokenizers',
    'memory',
    'temporary-folder',
    'install-setting',
  ]);
  for (const { status, hint } of findings) if (status !== 'ok') expect(hint).toBeDefined();
  expect(findings[1]!.detail).toMatch(/onnxruntime-node 1\.\d+/);
});

it.each([
  ['18.20.0', 'fail'],
  ['20.18.3', 'fail'],
  ['20.19.0', 'ok'],
  ['24.1.0', 'ok'],
])('Node.js %s: %s', (version, status) => expect(checkNode(version).status).toBe(status));

it('knows the releases of onnxruntime that were tried', () => {
  expect(checkRuntimeRelease('1.30.0')).toMatchObject({ status: 'ok', detail: 'onnxruntime-node 1.30.0' });
  expect(checkRuntimeRelease('1.99.0')).toMatchObject({ status: 'warn', hint: expect.stringContaining('1.30.0') });
  expect(checkRuntimeRelease(undefined)).toMatchObject({ status: 'warn' });
});

it('fails where nothing can be written', () => {
  expect(checkTemporaryFolder('/nowhere/at/all')).toMatchObject({
    status: 'fail',
    hint: expect.stringContaining('TMPDIR'),
  });
});

it('warns where texts cannot be read, and says what to install', async () => {
  const broken = [() => Promise.reject(new Error('not found')), () => Promise.resolve({ Tokenizer: undefined })];
  for (const load of broken)
    expect(await checkTokenizers(load)).toMatchObject({
      status: 'warn',
      hint: expect.stringContaining('npm install @huggingface/tokenizers'),
    });
});
