/**
 * Workers that stay: each is started once with what it needs and then answers one request after the other. For work whose
 * setting up costs more than a request, such as training sessions. The first failure of any worker fails what is asked of it.
 */
import { Worker } from 'node:worker_threads';
import { parallelErrors } from '../errors/parallel.ts';
import { onInterrupt } from '../interrupt.ts';
import { unpackError, type PackedError } from './task-workers.ts';

export type Answer<Reply> =
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'error'; readonly error: PackedError };

interface Waiting<Reply> {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

export class WorkerPool<Init, Request, Reply> {
  readonly #workers: readonly Worker[];
  readonly #waiting: Waiting<Reply>[][];
  readonly #failed: (Error | undefined)[];
  readonly #release: () => void;

  /**
   * @param entry a module that calls `answer` (see worker.ts)
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
