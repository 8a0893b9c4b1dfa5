/** The worker's side of the pool. A module that runs as a worker calls `serve` once, or `answer` when it belongs to a crew. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Answer } from './worker-pool.ts';
import { packError, stopWord, type FromWorker } from './task-workers.ts';

/** Thrown where a worker reports and learns that nobody wants its result. */
class Stopped extends Error {}

/** Runs the task of this worker; `send` reports on the way. Arrays are copied when sent. */
export async function serve<Task, Message, Result>(
  run: (task: Task, send: (message: Message) => void) => Promise<Result>,
): Promise<void> {
  const post = (sent: FromWorker<Message, Result>): void => parentPort!.postMessage(sent, []);
  const send = (message: Message): void => {
    if (receiveMessageOnPort(parentPort!)?.message === stopWord) throw new Stopped();
    post({ kind: 'message', message });
  };
  try {
    post({ kind: 'result', result: await run(workerData as Task, send) });
  } catch (error) {
    if (!(error instanceof Stopped)) post({ kind: 'error', error: packError(error) });
  }
}

/** Starts with the data of this worker, and then answers requests one after the other, until the first that fails. */
export async function answer<Init, Request, Reply>(
  start: (init: Init) => Promise<(request: Request) => Promise<Reply>>,
): Promise<void> {
  const post = (sent: Answer<Reply>): void => parentPort!.postMessage(sent, []);
  const handler = start(workerData as Init);
  let last: Promise<void> = Promise.resolve();
  parentPort!.on('message', (request: Request) => {
    last = last.then(async () => {
      try {
        post({ kind: 'reply', reply: await (await handler)(request) });
      } catch (error) {
        post({ kind: 'error', error: packError(error) });
      }
    });
  });
  await handler.catch((error: unknown) => post({ kind: 'error', error: packError(error) }));
}
