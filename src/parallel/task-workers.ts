/**
 * Worker threads, one per task: every task goes to a fresh worker, messages come back as they are sent, results in the order of
 * the tasks. The first error ends all workers and is thrown as it was; an interrupt ends them too. Whoever still works is asked to
 * stop first: onnxruntime may crash when a thread that runs it, or just loads it, is torn down.
 */
import { Worker } from 'node:worker_threads';
import { QdqError } from '../errors.ts';
import { parallelErrors } from '../errors/parallel.ts';
import { onInterrupt } from '../interrupt.ts';

/** An error on its way between threads: structured cloning knows no classes of ours. */
export interface PackedError {
  readonly message: string;
  readonly stack: string | undefined;
  /** Of a QdqError. */
  readonly known?: { readonly kind: QdqError['kind']; readonly code: string; readonly hint: string | undefined };
  readonly cause?: PackedError;
}

export type FromWorker<Message, Result> =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'error'; readonly error: PackedError };

/** What a worker is told when its result is no longer wanted. */
export const stopWord = 'stop';
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
 * @param entry a module that calls `serve` (see worker.ts)
 * @param tasks plain data, copied to the workers
 * @param onMessage is told of every message, with the index of its task
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

export function unpackError({ message, stack, known, cause: packed }: PackedError): Error {
  const cause = packed && unpackError(packed);
  const error = known
    ? new QdqError(known.kind, known.code, message, known.hint, cause)
    : new Error(message, cause && { cause });
  if (stack !== undefined) error.stack = stack;
  return error;
}
