/** A weight-only run that was killed while it wrote goes on where it was, and ends with the same bytes. */
import { spawn as spawnChild } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { saveModel } from '../../src/onnx/model-file.ts';
import { binary } from '../support/compile.ts';
import { buildProto, f32, node } from '../support/build.ts';
import { run, spawn, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const model = join(folder, 'float.onnx');
const layers = 8;
const size = 2176;

/** New constants of 38 MB: enough for the way of large models. */
beforeAll(() => {
  const names = Array.from({ length: layers }, (_, i) => i);
  const data = Float32Array.from({ length: size * size }, (_, i) => Math.sin(i * 0.37) * (1 + (i % 7)));
  const initializers = Object.fromEntries(names.map((i) => [`w${i}`, f32([size, size], data)]));
  const nodes = names.map((i) =>
    node('MatMul', [i === 0 ? 'x' : `h${i}`, `w${i}`], [i === layers - 1 ? 'y' : `h${i + 1}`]),
  );
  saveModel(buildProto({ inputs: { x: [1, size] }, outputs: { y: [1, size] }, initializers, nodes }), model);
});

const words = (out: string): string[] => [
  ...['quantize', model, '--format', 'weight-only', '--weight-bits', '8', '--weight-method', 'hqq'],
  ...['--no-report', '--quiet', '--external-data', 'always', '-o', out],
];
const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
const partial = (out: string): string => `${out}.partial`;
const journalOf = (out: string): string => join(partial(out), 'q.onnx.data.unfinished.journal');
const dataOf = (out: string): string => join(partial(out), 'q.onnx.data.unfinished');

/** Kills a run once a few tensors are whole. */
async function kill(out: string): Promise<void> {
  const child = spawnChild(process.execPath, [binary, ...words(out)], { stdio: 'ignore' });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  const lines = (): number =>
    existsSync(journalOf(out)) ? readFileSync(journalOf(out), 'utf8').split('\n').length - 2 : 0;
  while (lines() < 4 && child.exitCode === null) await sleep(2);
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
  expect(lines()).toBeGreaterThanOrEqual(4);
}

describe('a killed weight-only run', () => {
  const whole = join(folder, 'whole', 'q.onnx');
  const place = (name: string): string => join(folder, name, 'q.onnx');
  let expected: string[];

  beforeAll(async () => {
    for (const name of ['whole', 'a', 'b', 'c']) mkdirSync(join(folder, name));
    expect(spawn(words(whole))).toMatchObject({ exitCode: 0, stderr: '' });
    expected = [hashOf(whole), hashOf(`${whole}.data`)];
    // One is killed; the others find what it left.
    await kill(place('a'));
    for (const name of ['b', 'c']) cpSync(partial(place('a')), partial(place(name)), { recursive: true });
  });

  it('goes on, with the same bytes, and leaves nothing behind', async () => {
    const out = place('a');
    const before = readFileSync(dataOf(out));
    expect(before.length).toBeGreaterThan(size * size);
    // The same file is written on, not another one from its beginning.
    const { ino } = statSync(dataOf(out));
    expect(await run(words(out))).toMatchObject({ exitCode: 0, stderr: '' });
    expect([hashOf(out), hashOf(`${out}.data`)]).toEqual(expected);
    expect(statSync(`${out}.data`).ino).toBe(ino);
    expect(readdirSync(join(folder, 'a')).sort()).toEqual(['q.onnx', 'q.onnx.data']);
  }, 60_000);

  it('does not trust what was changed or cut off', async () => {
    const out = place('b');
    const bytes = readFileSync(dataOf(out));
    bytes[100] = bytes[100]! ^ 1;
    writeFileSync(dataOf(out), bytes);
    truncateSync(dataOf(out), bytes.length - 5);
    expect(await run(words(out))).toMatchObject({ exitCode: 0 });
    expect([hashOf(out), hashOf(`${out}.data`)]).toEqual(expected);
  }, 60_000);

  it('starts anew with other settings', async () => {
    const out = place('c');
    const other = (at: string): string[] => words(at).map((word) => (word === 'hqq' ? 'rtn' : word));
    expect(await run(other(out))).toMatchObject({ exitCode: 0 });
    const fresh = join(folder, 'fresh.onnx');
    expect(await run(other(fresh))).toMatchObject({ exitCode: 0 });
    expect(hashOf(`${out}.data`)).toBe(hashOf(`${fresh}.data`));
    expect(hashOf(`${out}.data`)).not.toBe(expected[1]);
  }, 60_000);
});
