/**
 * The workers of fine-tuning. Even one is a thread of its own: onnxruntime blocks the thread that calls it, and this one has
 * the next batch to read.
 */
import { extname } from 'node:path';
import type { TensorValue } from '../../onnx/data-types.ts';
import { packed, unpacked, type Parcel } from '../../onnx/strings.ts';
import { WorkerPool } from '../../parallel/worker-pool.ts';
import { Engine, type EngineSpec, type Shard, type StepResult } from '../../qat/engine.ts';
import { totalLength } from '../../qat/parameters.ts';
import type { Workers } from '../../qat/trainer.ts';

export interface EngineInit {
  readonly spec: EngineSpec;
  /** On shared memory. */
  readonly parameters: Float32Array;
  readonly gradients: Float32Array;
}

type Feeds = Readonly<Record<string, TensorValue>>;
type Outputs = Record<string, TensorValue>;

export type EngineRequest =
  | { readonly kind: 'step'; readonly shards: readonly SentShard[]; readonly phase: number }
  | { readonly kind: 'forward'; readonly feeds: Parcel; readonly fetch: readonly string[] | undefined }
  | { readonly kind: 'teach'; readonly feeds: Parcel; readonly fetch: readonly string[] | undefined };

interface SentShard extends Omit<Shard, 'feeds'> {
  readonly feeds: Parcel;
}

export interface EngineReply {
  readonly result?: StepResult;
  readonly outputs?: Parcel;
}

export interface Engines extends Workers {
  forward(parameters: Float32Array, feeds: Feeds, fetch?: readonly string[]): Promise<Outputs>;
  teach(feeds: Feeds, fetch?: readonly string[]): Promise<Outputs>;
  close(): Promise<void>;
}

const entry = new URL(`./engine-worker${extname(import.meta.url)}`, import.meta.url);

export function startEngines(spec: EngineSpec, count: number): Engines {
  // Run from source, by a test: Node 20 loads no TypeScript in a worker.
  return extname(import.meta.url) === '.ts' ? inThisThread(spec, count) : inWorkers(spec, count);
}

function inThisThread(spec: EngineSpec, count: number): Engines {
  const engines = Array.from({ length: count }, () => new Engine(spec));
  return {
    count,
    step: (worker, parameters, shards, gradients, phase) => engines[worker]!.step(parameters, shards, gradients, phase),
    forward: (parameters, feeds, fetch) => engines[0]!.forward(parameters, feeds, fetch),
    teach: (feeds, fetch) => engines[0]!.teach(feeds, fetch),
    close: async () => {
      for (const engine of engines) await engine.dispose();
    },
  };
}

function inWorkers(spec: EngineSpec, count: number): Engines {
  const length = totalLength(spec.graphs[0]!.parameters);
  const shared = (): Float32Array => new Float32Array(new SharedArrayBuffer(length * 4));
  const parameters = shared();
  const gradients = Array.from({ length: count }, shared);
  const crew = new WorkerPool<EngineInit, EngineRequest, EngineReply>(
    entry,
    gradients.map((own) => ({ spec, parameters, gradients: own })),
  );
  return {
    count,
    async step(worker, values, shards, sums, phase) {
      parameters.set(values);
      const sent = shards.map((shard) => ({ ...shard, feeds: packed(shard.feeds) }));
      const { result } = await crew.ask(worker, { kind: 'step', shards: sent, phase });
      sums.set(gradients[worker]!);
      return result!;
    },
    async forward(values, feeds, fetch) {
      parameters.set(values);
      return unpacked((await crew.ask(0, { kind: 'forward', feeds: packed(feeds), fetch })).outputs!);
    },
    async teach(feeds, fetch) {
      return unpacked((await crew.ask(0, { kind: 'teach', feeds: packed(feeds), fetch })).outputs!);
    },
    close: () => crew.close(),
  };
}
