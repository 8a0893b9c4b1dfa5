/**
 * Worker threads that run one task each. Both sides are here: `runWorkers` starts a fresh worker for every task, hands messages on as they
 * are sent and returns the results in the order of the tasks; the worker's module calls `serve`. The first error ends all workers and is
 * thrown as it was, with its class and its stack; an interrupt ends them too. A worker that still runs is asked to stop first: onnxruntime
 * may crash when a thread that runs it, or just loads it, is torn down.
 *
 * Workers that stay and answer many requests: worker-pool.ts.
 */
import { parentPort, receiveMessageOnPort, Worker, workerData } from 'node:worker_threads';
import { QdqError } from '../errors/qdq-error.ts';
import { parallelErrors } from '../errors/backends.ts';
import { onInterrupt } from '../process/interrupt.ts';

/** An error on its way between threads: structured cloning knows no classes of ours. */
export interface PackedError {
  readonly message: string;
  readonly stack: string | undefined;
  /** Of a QdqError. */
  readonly known?: { readonly kind: QdqError['kind']; readonly code: string; readonly hint: string | undefined };
  readonly cause?: PackedError;
}

/** What a worker sends. */
type FromWorker<Message, Result> =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'error'; readonly error: PackedError };

/** The message to a worker whose result is no longer wanted. */
const stopWord = 'stop';
/** Milliseconds until a worker that was asked to stop is terminated. */
const grace = 5000;

async function stopGently(worker: Worker): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, grace)));
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.postMessage(stopWord, []);
  // A thread that has ended says nothing more.
  if (worker.threadId !== -1) await Promise.race([ended, late]);
  clearTimeout(timer);
  await worker.terminate();
}

/**
 * Runs every task in a worker of its own.
 * @param entry a module that calls `serve`
 * @param tasks plain data, copied to the workers
 * @param onMessage called with every message, with the index of its task
 * @throws what `serve`'s function threw; PARALLEL_WORKER when a worker ended without a word
 */
export async function runWorkers<Task, Message, Result>(
  entry: URL,
  tasks: readonly Task[],
  onMessage: (message: Message, index: number) => void,
): Promise<Result[]> {
  const workers = tasks.map((workerData) => new Worker(entry, { workerData }));
  const stop = (): Promise<unknown> => Promise.allSettled(workers.map(stopGently));
  // The process must not end before they have: onnxruntime would be torn down under a thread that runs it.
  const release = onInterrupt(() => {
    for (const worker of workers) worker.removeAllListeners('exit');
    return stop();
  });
  try {
    const results = await Promise.all(
      workers.map((worker, index) => resultOf<Message, Result>(worker, (message) => onMessage(message, index))),
    );
    await Promise.allSettled(workers.map((worker) => worker.terminate()));
    return results;
  } catch (error) {
    await stop();
    throw error;
  } finally {
    release();
  }
}

function resultOf<Message, Result>(worker: Worker, onMessage: (message: Message) => void): Promise<Result> {
  return new Promise((resolve, reject) => {
    worker.on('message', (sent: FromWorker<Message, Result>) => {
      if (sent.kind === 'result') resolve(sent.result);
      else if (sent.kind === 'error') reject(unpackError(sent.error));
      else {
        try {
          onMessage(sent.message);
        } catch (error) {
          reject(error as Error);
        }
      }
    });
    worker.on('messageerror', reject);
    worker.on('error', (cause) => reject(parallelErrors.worker(String((cause as Error).message), cause)));
    worker.on('exit', (code) => reject(parallelErrors.worker(`exit code ${code}`)));
  });
}

/** Thrown where a worker reports and learns that nobody wants its result. */
class Stopped extends Error {}

/**
 * The worker's side: runs the task that this worker was started with, and sends its result or its error.
 * @param run `send` reports on the way; arrays are copied when sent
 */
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

/** Makes plain data of an error, its causes included. */
export function packError(error: unknown): PackedError {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined };
  const { message, stack, cause } = error;
  return {
    message,
    stack,
    ...(error instanceof QdqError ? { known: { kind: error.kind, code: error.code, hint: error.hint } } : {}),
    ...(cause === undefined ? {} : { cause: packError(cause) }),
  };
}

/** The error again, a QdqError if it was one. */
export function unpackError({ message, stack, known, cause: packed }: PackedError): Error {
  const cause = packed && unpackError(packed);
  const error = known
    ? new QdqError(known.kind, known.code, message, known.hint, cause)
    : new Error(message, cause && { cause });
  if (stack !== undefined) error.stack = stack;
  return error;
}
