/** Calibration that was killed goes on where it was and ends with the same bytes; so do any number of workers. */
import { spawn as spawnChild } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { binary } from '../support/compile.ts';
import { digits, run, runCompiled, spawn, temporaryFolder } from './run.ts';

const folder = temporaryFolder();
const inFolder = (name: string): string => join(folder, name);
const count = 24;

/** Samples by position, or a stream of the same; `pause` is the time each takes, in milliseconds. */
function reader(name: string, pause: number, stream: boolean): string {
  const sample = `async (i) => {
    await new Promise((done) => setTimeout(done, ${pause}));
    if (i === ${name === 'bad' ? 21 : -1}) throw new Error('sample is broken');
    return { [input.name]: Float32Array.from({ length: 256 }, (_, j) => Math.sin(i * 7 + j) * (i + 1)) };
  }`;
  const source = stream
    ? `const get = ${sample}; for (let i = 0; i < ${count}; i++) yield await get(i);`
    : `return { length: ${count}, get: ${sample} };`;
  const path = inFolder(`${name}.mjs`);
  writeFileSync(
    path,
    `export default ${stream ? 'async function*' : 'function'} ({ inputs: [input] }) { ${source} }\n`,
  );
  return path;
}

const command = (path: string, out: string, samples = count): string[] => [
  'calibrate',
  digits,
  '--reader',
  path,
  '--samples',
  String(samples),
  '-o',
  out,
];

/** Starts a run, kills it once it has saved something, and tells how it ended. */
async function killed(words: readonly string[], partial: string): Promise<NodeJS.Signals | null> {
  const child = spawnChild(process.execPath, [binary, ...words], { stdio: 'ignore' });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  while (!existsSync(partial) && child.exitCode === null) await sleep(20);
  await sleep(200);
  child.kill('SIGKILL');
  return ended;
}

describe('a killed calibration', () => {
  it.each([
    ['by position', false, 1],
    ['of a stream', true, 1],
    ['by two workers', false, 2],
  ])('%s goes on and ends with the same bytes', async (name, stream, workers) => {
    const path = reader(`slow-${workers}-${stream}`, 30, stream);
    const words = (out: string): string[] => [...command(path, out), '--workers', String(workers)];
    const [whole, out] = [inFolder(`whole ${name}`), inFolder(`out ${name}`)];
    expect((await runCompiled(words(whole))).exitCode).toBe(0);
    const partial = `${out}.partial`;
    expect(await killed([...words(out), '--save-every', '0'], partial)).toBe('SIGKILL');
    expect({ out: existsSync(out), partial: existsSync(partial) }).toEqual({ out: false, partial: true });

    const again = await runCompiled(words(out));
    expect(again).toMatchObject({ exitCode: 0 });
    const done = Number(/going on after (\d+) samples of a run that was stopped/.exec(again.stderr)?.[1]);
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(count);
    expect(readFileSync(out)).toEqual(readFileSync(whole));
    expect(existsSync(partial)).toBe(false);
  });

  it('goes on with another number of workers, and shown otherwise', async () => {
    const path = reader('slow-other', 30, false);
    const [whole, out] = [inFolder('whole other'), inFolder('out other')];
    expect((await runCompiled(command(path, whole))).exitCode).toBe(0);
    await killed([...command(path, out), '--workers', '2', '--save-every', '0', '--quiet'], `${out}.partial`);
    expect((await runCompiled([...command(path, out), '--workers', '3'])).stderr).toContain('going on after');
    expect(readFileSync(out)).toEqual(readFileSync(whole));
  });

  it('starts anew, and says so, when what is there is of another command or damaged', async () => {
    const path = reader('fast', 0, false);
    const [whole, out] = [inFolder('whole anew'), inFolder('out anew')];
    expect((await runCompiled(command(path, whole))).exitCode).toBe(0);
    const slow = reader('slow-anew', 30, false);
    await killed([...command(slow, out), '--save-every', '0'], `${out}.partial`);
    const saved = readFileSync(`${out}.partial`);
    for (const bytes of [saved, saved.subarray(0, -5), Buffer.from('nothing')]) {
      writeFileSync(`${out}.partial`, bytes);
      const { exitCode, stderr } = await runCompiled(command(path, out));
      expect({ exitCode, told: stderr.includes('is not of this command: starting anew') }).toEqual({
        exitCode: 0,
        told: true,
      });
      expect(existsSync(`${out}.partial`)).toBe(false);
      expect(readFileSync(out)).toEqual(readFileSync(whole));
    }
  });
});

describe('workers', () => {
  beforeAll(async () => {
    const words = command(reader('plain', 0, false), inFolder('one'));
    expect((await runCompiled([...words, '--workers', '1'])).exitCode).toBe(0);
  });

  it('the same bytes with a histogram, whatever the number', async () => {
    for (const workers of ['1', '3']) {
      const words = [...command(inFolder('plain.mjs'), inFolder(`h${workers}`)), '--workers', workers];
      expect(await runCompiled([...words, '--observer', 'percentile'])).toMatchObject({ exitCode: 0 });
    }
    expect(readFileSync(inFolder('h3'))).toEqual(readFileSync(inFolder('h1')));
  });

  it.each([2, 3])('%i: the same bytes as one', (workers) => {
    const words = [...command(inFolder('plain.mjs'), inFolder(`w${workers}`)), '--workers', String(workers)];
    const { exitCode, stderr } = spawn(words);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(new RegExp(`calibrating: ${count} samples in`));
    expect(readFileSync(inFolder(`w${workers}`))).toEqual(readFileSync(inFolder('one')));
  });

  it('more than samples, and of a stream: the same bytes', async () => {
    const few = async (workers: string, path: string): Promise<Buffer> => {
      const out = inFolder(`few${workers}`);
      expect(await runCompiled([...command(path, out, 2), '--workers', workers])).toMatchObject({ exitCode: 0 });
      return readFileSync(out);
    };
    for (const path of [inFolder('plain.mjs'), reader('stream', 0, true)])
      expect(await few('4', path)).toEqual(await few('1', path));
  });

  it('work on a shard', async () => {
    for (const workers of ['1', '2']) {
      const words = [...command(inFolder('plain.mjs'), inFolder(`shard${workers}`)), '--shard', '2/3'];
      expect((await runCompiled([...words, '--workers', workers])).exitCode).toBe(0);
    }
    expect(readFileSync(inFolder('shard2'))).toEqual(readFileSync(inFolder('shard1')));
  });

  it('hand on an error as it was, and write nothing', async () => {
    const out = inFolder('broken');
    const words = command(reader('bad', 0, false), out);
    const one = await runCompiled([...words, '--json']);
    const two = spawn([...words, '--workers', '2', '--json']);
    expect(two).toMatchObject({ exitCode: 3, stdout: one.stdout });
    expect(JSON.parse(two.stdout)).toMatchObject({ error: { message: expect.stringContaining('sample is broken') } });
    expect(existsSync(out)).toBe(false);
  });

  it('end when interrupted', async () => {
    const out = inFolder('interrupted');
    const words = [...command(reader('slow', 100, false), out), '--workers', '2', '--save-every', '0'];
    const child = spawnChild(process.execPath, [binary, ...words], { stdio: 'ignore' });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    while (!existsSync(`${out}.partial`) && child.exitCode === null) await sleep(20);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(readdirSync(folder).filter((name) => name.startsWith('.interrupted'))).toEqual([]);
  });

  it('are not combined with threads', async () => {
    expect(await run([...command('x.mjs', inFolder('x')), '--workers', '2', '--threads', '2'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('each worker has one thread'),
    });
  });
});
