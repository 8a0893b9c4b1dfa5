/** The worker's side of the pool. A module that runs as a worker calls `serve` once. */
import { parentPort, workerData } from 'node:worker_threads';
import { packError, type FromWorker } from './pool.ts';

/** Runs the task of this worker; `send` reports on the way. Arrays are copied when sent. */
export async function serve<Task, Message, Result>(
  run: (task: Task, send: (message: Message) => void) => Promise<Result>,
): Promise<void> {
  const post = (sent: FromWorker<Message, Result>): void => parentPort!.postMessage(sent, []);
  try {
    post({ kind: 'result', result: await run(workerData as Task, (message) => post({ kind: 'message', message })) });
  } catch (error) {
    post({ kind: 'error', error: packError(error) });
  }
}
