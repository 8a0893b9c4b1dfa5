import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { QdqError } from '../../src/errors/qdq-error.ts';
import { lock } from '../../src/onnx/lock.ts';
import { temporaryFolder } from '../data/helpers.ts';

const folder = temporaryFolder();

function refusal(path: string): QdqError | undefined {
  try {
    lock(path)();
    return undefined;
  } catch (error) {
    return error as QdqError;
  }
}

describe('a lock', () => {
  it('is held by one, who is named to the others, and gone afterwards', () => {
    const path = join(folder, 'out.partial');
    const free = lock(path);
    expect(refusal(path)).toMatchObject({
      code: 'OUTPUT_LOCKED',
      message: `process ${process.pid} is writing '${path}'`,
    });
    free();
    expect(existsSync(`${path}.lock`)).toBe(false);
    expect(refusal(path)).toBeUndefined();
  });

  it.each([
    ['a process that is gone', { pid: 2 ** 22 + 1, host: hostname(), since: '1' }],
    ['a process whose number has come again', { pid: process.ppid, host: hostname(), since: 'long ago' }],
    ['a process that had the number of this one', { pid: process.pid, host: hostname(), since: '' }],
    ['nobody: its writer was killed', undefined],
  ])('of %s does not count', (_, holder) => {
    const path = join(folder, 'stale.partial');
    writeFileSync(`${path}.lock`, holder === undefined ? '' : JSON.stringify(holder));
    // Without /proc a number that has come again cannot be told.
    if (holder?.since === 'long ago' && !existsSync('/proc/self/stat')) return;
    expect(refusal(path)).toBeUndefined();
  });

  it('of another machine counts, and the way out is told', () => {
    const path = join(folder, 'far.partial');
    const text = JSON.stringify({ pid: 7, host: 'far', since: '' });
    writeFileSync(`${path}.lock`, text);
    const error = refusal(path);
    expect(error).toMatchObject({ code: 'OUTPUT_LOCKED', message: `process 7 on far is writing '${path}'` });
    expect(error!.hint).toContain(`${path}.lock`);
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe(text);
  });
});
