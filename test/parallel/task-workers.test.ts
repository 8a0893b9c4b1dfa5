/** Worker threads: results in order, errors as they were, and no silence when a worker dies. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { QdqError } from '../../src/errors/qdq-error.ts';
import { packError, runWorkers, unpackError } from '../../src/parallel/task-workers.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-pool-'));

function entry(name: string, body: string): URL {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, `import { parentPort, workerData } from 'node:worker_threads';\n${body}\n`);
  return pathToFileURL(path);
}

it('gives results in the order of the tasks and messages with their index', async () => {
  const echo = entry(
    'echo',
    `setTimeout(() => {
      parentPort.postMessage({ kind: 'message', message: workerData * 10 });
      parentPort.postMessage({ kind: 'result', result: workerData * workerData });
    }, (3 - workerData) * 30);`,
  );
  const messages: [number, number][] = [];
  const results = await runWorkers(echo, [1, 2, 3], (message: number, index) => messages.push([index, message]));
  expect(results).toEqual([1, 4, 9]);
  expect(messages.sort()).toEqual([
    [0, 10],
    [1, 20],
    [2, 30],
  ]);
});

// The workers of the next two never end by themselves: each test waits out the five seconds that they are given, both at once.
it.concurrent('the first error ends the others', async () => {
  const error = packError(new QdqError('data', 'SOME_CODE', 'what', 'hint'));
  const stuck = entry(
    'stuck',
    `if (workerData === 2) parentPort.postMessage({ kind: 'error', error: ${JSON.stringify(error)} });
    setInterval(() => {}, 1000);`,
  );
  await expect(runWorkers(stuck, [1, 2], () => {})).rejects.toMatchObject({ name: 'QdqError', code: 'SOME_CODE' });
});

it.concurrent('an error in the receiver of messages is thrown', async () => {
  const chatty = entry(
    'chatty',
    "parentPort.postMessage({ kind: 'message', message: 1 }); setInterval(() => {}, 1000);",
  );
  const full = (): never => {
    throw new QdqError('data', 'FULL', 'no space');
  };
  await expect(runWorkers(chatty, [1], full)).rejects.toMatchObject({ code: 'FULL' });
});

it.each([
  ['exits', 'process.exit(7);', 'exit code 7'],
  ['throws', "throw new Error('at once');", 'at once'],
])('a worker that %s without a word is an error', async (name, body, why) => {
  await expect(runWorkers(entry(name, body), [1], () => {})).rejects.toMatchObject({
    code: 'PARALLEL_WORKER',
    message: expect.stringContaining(why),
  });
});

it('errors keep kind, code, hint, stack and cause on their way', () => {
  const cause = new TypeError('inside');
  const error = new QdqError('usage', 'CODE', 'message', 'hint', cause);
  const back = unpackError(structuredClone(packError(error))) as QdqError;
  expect(back).toBeInstanceOf(QdqError);
  expect(back).toMatchObject({ kind: 'usage', code: 'CODE', message: 'message', hint: 'hint', exitCode: 2 });
  expect(back.stack).toBe(error.stack);
  expect(back.cause).toMatchObject({ message: 'inside', stack: cause.stack });
  expect(unpackError(structuredClone(packError('text')))).toMatchObject({ message: 'text' });
});
