/** `--shard` and `qdq merge`: what is typed, what array jobs set, and one run against five shards. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseShard } from '../../src/cli/request.ts';
import { digits, run, runCompiled, temporaryFolder } from './run.ts';

const slurm = { SLURM_ARRAY_TASK_ID: '14', SLURM_ARRAY_TASK_MIN: '10', SLURM_ARRAY_TASK_COUNT: '8' };

describe('parseShard', () => {
  it.each([
    ['2/5', {}, 2, 5],
    ['1/1', slurm, 1, 1],
    ['auto', slurm, 5, 8],
    ['auto', { ...slurm, SLURM_ARRAY_TASK_STEP: '2' }, 3, 8],
    ['auto/6', slurm, 5, 6],
    ['auto/4', { JOB_COMPLETION_INDEX: '0' }, 1, 4],
  ])('%s with %j', (given, env, index, count) => {
    expect(parseShard(given, env)).toEqual({ index, count });
  });

  it.each([
    ['SHARD_FORMAT', '2', {}],
    ['SHARD_FORMAT', '2/', {}],
    ['SHARD_FORMAT', '-1/5', {}],
    ['SHARD_FORMAT', '2/5/7', {}],
    ['SHARD_OUTSIDE', '0/5', {}],
    ['SHARD_OUTSIDE', '6/5', {}],
    ['SHARD_OUTSIDE', 'auto/4', slurm],
    ['SHARD_NO_JOB', 'auto', {}],
    ['SHARD_NO_JOB', 'auto/4', {}],
    ['SHARD_NO_COUNT', 'auto', { JOB_COMPLETION_INDEX: '0' }],
    ['SHARD_NO_COUNT', 'auto', { SLURM_ARRAY_TASK_ID: '1' }],
    ['SHARD_VARIABLE', 'auto/2', { SLURM_ARRAY_TASK_ID: 'one' }],
    ['SHARD_VARIABLE', 'auto', { ...slurm, SLURM_ARRAY_TASK_STEP: '3' }],
  ])('%s: %s with %j', (code, given, env) => {
    expect(() => parseShard(given, env)).toThrow(expect.objectContaining({ code, exitCode: 2 }));
  });
});

const folder = temporaryFolder();
const inFolder = (name: string): string => join(folder, name);
const images = resolve(import.meta.dirname, '../../fixtures/digits/test');
const words = [
  'calibrate',
  digits,
  '--data',
  images,
  '--preprocess',
  'channels=gray scale=1/255',
  '--threads',
  '1',
  '-q',
];
const reader = inFolder('reader.mjs');
writeFileSync(
  reader,
  `export default async function* ({ inputs: [{ name, dims }] }) {
    const size = dims.slice(1).reduce((a, b) => a * b, 1);
    for (let i = 0; i < 13; i++) yield { [name]: Float32Array.from({ length: size }, (_, j) => Math.sin(i * 7 + j)) };
  }`,
);
const streamed = ['calibrate', digits, '--reader', reader, '--threads', '1', '-q'];

describe('calibrate --shard, merge', () => {
  it.each([
    ['images', [...words, '--samples', '13']],
    ['a stream', streamed],
  ])('one run and five shards of %s: the same bytes', async (_, command) => {
    expect(await run([...command, '-o', inFolder('whole.state')])).toMatchObject({ exitCode: 0, stderr: '' });
    const shards: string[] = [];
    for (const index of [4, 1, 5, 2, 3]) {
      shards.push(inFolder(`${index}.state`));
      expect(await run([...command, '--shard', `${index}/5`, '-o', shards.at(-1)!])).toMatchObject({ exitCode: 0 });
    }
    const merged = await run(['merge', ...shards, '-o', inFolder('merged.state'), '--json']);
    expect(JSON.parse(merged.stdout)).toMatchObject({ samples: 13, shards: 5, missing: [] });
    expect(readFileSync(inFolder('merged.state'))).toEqual(readFileSync(inFolder('whole.state')));
    expect(readFileSync(shards[0]!)).not.toEqual(readFileSync(inFolder('whole.state')));
  });

  it('with bad samples left out, by shards and by workers: the same bytes, and the same words', async () => {
    const mixed = inFolder('mixed');
    mkdirSync(mixed);
    const names = readdirSync(join(images, '3')).filter((name) => name.endsWith('.png'));
    for (const [i, name] of names.slice(0, 9).entries()) {
      if (i % 4 === 1) writeFileSync(join(mixed, name), 'no image');
      else copyFileSync(join(images, '3', name), join(mixed, name));
    }
    const command = words
      .map((word) => (word === images ? mixed : word))
      .filter((word) => word !== '--threads' && word !== '1');
    const whole = await run([...command, '--skip-bad', '-o', inFolder('bad.state'), '--json']);
    expect(JSON.parse(whole.stdout).warnings).toContainEqual(expect.stringMatching(/^2 bad samples were left out: /));
    const shards = [1, 2].map((index) => inFolder(`bad${index}.state`));
    for (const [i, out] of shards.entries()) await run([...command, '--skip-bad', '--shard', `${i + 1}/2`, '-o', out]);
    await run(['merge', ...shards, '-o', inFolder('bad-merged.state')]);
    await runCompiled([...command, '--skip-bad', '--workers', '2', '-o', inFolder('bad-workers.state')]);
    for (const name of ['bad-merged.state', 'bad-workers.state'])
      expect(readFileSync(inFolder(name))).toEqual(readFileSync(inFolder('bad.state')));
  });

  it('refuses a missing shard, takes it with --partial, and quantize says so', async () => {
    const two = [inFolder('1.state'), inFolder('4.state')];
    const out = inFolder('some.state');
    expect(await run(['merge', ...two, '-o', out])).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('shards 2/5, 3/5, 5/5 missing'),
    });
    const merged = await run(['merge', ...two, '-o', out, '--partial']);
    expect(merged).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('3 of 5 shards are missing: 2, 3, 5'),
    });
    expect(merged.stdout).toContain('2 shards with 5 samples');
    const quantized = [
      'quantize',
      digits,
      '--state',
      out,
      '--data',
      images,
      '--preprocess',
      'channels=gray scale=1/255',
    ];
    expect(await run([...quantized, '--no-report', '--threads', '1', '-o', inFolder('q.onnx')])).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('lacks the samples of shard 2/5, 3/5, 5/5'),
    });
  });

  it('refuses a shard given twice, a truncated state, and to overwrite a shard', async () => {
    const one = inFolder('1.state');
    const copy = inFolder('copy.state');
    writeFileSync(copy, readFileSync(one));
    expect(await run(['merge', one, copy, '-o', inFolder('x.state')])).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/1\.state and .*copy\.state both hold shard 1\/5/),
    });
    writeFileSync(copy, readFileSync(one).subarray(0, -3));
    expect(await run(['merge', one, copy, '-o', inFolder('x.state')])).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/copy\.state: cut short/),
    });
    expect(await run(['merge', one, '-o', one])).toMatchObject({ exitCode: 2 });
    expect(await run(['merge', '-o', inFolder('x.state')])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('qdq merge STATE...'),
    });
  });

  it('refuses more shards than samples, of a stream as well', async () => {
    for (const command of [
      [...words, '--samples', '3'],
      [...streamed, '--samples', '3'],
    ]) {
      expect(await run([...command, '--shard', '1/4', '-o', inFolder('x.state')])).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('3 samples cannot be spread over 4 shards'),
      });
    }
  });
});
