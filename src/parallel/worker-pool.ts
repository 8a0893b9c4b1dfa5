/**
 * A pool of workers that stay: each is started once with what it needs and then answers one request after the other. It is for work whose
 * setting up costs more than a request, such as training sessions. The first failure of a worker fails everything that is asked of it.
 * Both sides are here: `WorkerPool` asks, and the worker's module calls `answer`.
 *
 * A fresh worker for each of several tasks: task-workers.ts.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { parallelErrors } from '../errors/backends.ts';
import { onInterrupt } from '../process/interrupt.ts';
import { packError, unpackError, type PackedError } from './task-workers.ts';

type Answer<Reply> =
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'error'; readonly error: PackedError };

interface Waiting<Reply> {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** The asking side: `inits.length` workers, numbered from 0. */
export class WorkerPool<Init, Request, Reply> {
  readonly #workers: readonly Worker[];
  readonly #waiting: Waiting<Reply>[][];
  readonly #failed: (Error | undefined)[];
  readonly #release: () => void;

  /**
   * @param entry a module that calls `answer`
   * @param inits plain data, copied; one worker each
   */
  constructor(entry: URL, inits: readonly Init[]) {
    this.#waiting = inits.map(() => []);
    this.#failed = inits.map(() => undefined);
    this.#workers = inits.map((workerData, index) => {
      const worker = new Worker(entry, { workerData });
      const fail = (error: Error): void => {
        this.#failed[index] ??= error;
        for (const { reject } of this.#waiting[index]!.splice(0)) reject(error);
      };
      worker.on('message', (answer: Answer<Reply>) => {
        if (answer.kind === 'reply') this.#waiting[index]!.shift()?.resolve(answer.reply);
        else fail(unpackError(answer.error));
      });
      worker.on('messageerror', fail);
      worker.on('error', (cause) => fail(parallelErrors.worker(String((cause as Error).message), cause)));
      worker.on('exit', (code) => fail(parallelErrors.worker(`exit code ${code}`)));
      return worker;
    });
    // The process must not end before they have: onnxruntime would be torn down under a thread that runs it.
    this.#release = onInterrupt(() => this.close());
  }

  get size(): number {
    return this.#workers.length;
  }

  /** Answers come in the order in which a worker was asked. @throws what the worker threw; PARALLEL_WORKER when it ended */
  ask(index: number, request: Request): Promise<Reply> {
    const failed = this.#failed[index];
    if (failed) return Promise.reject(failed);
    return new Promise((resolve, reject) => {
      this.#waiting[index]!.push({ resolve, reject });
      this.#workers[index]!.postMessage(request, []);
    });
  }

  async close(): Promise<void> {
    this.#release();
    for (const worker of this.#workers) worker.removeAllListeners('exit');
    await Promise.allSettled(this.#workers.map((worker) => worker.terminate()));
  }
}

/**
 * The worker's side: starts with the data of this worker, and then answers requests one after the other. A request that fails is answered
 * with its error.
 */
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
