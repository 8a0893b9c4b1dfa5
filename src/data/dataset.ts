/**
 * For data formats: what each declares of itself, and the two kinds of dataset that it can make: samples that are reached by position, and
 * a stream that is read from its start. To add a format: a new file in formats/, and a line in open.ts.
 */
import { createHash } from 'node:crypto';
import { QdqError } from '../errors/qdq-error.ts';
import type { Names } from './file-tree.ts';
import type { Dataset, InputInfo, OnBad, Sample } from './sample.ts';
import { checkSample } from './model-inputs.ts';
import { membership, positionsOf } from './selection.ts';

interface SampleReader {
  read(position: number): Promise<Sample>;
  close?(): Promise<void>;
}

interface IndexedOptions {
  readonly source: string;
  readonly format: string;
  readonly inputs: readonly InputInfo[];
  readonly count: number;
  readonly labelled: boolean;
  readonly preprocess?: string | undefined;
  readonly synthetic?: boolean;
  readonly sequences?: readonly number[] | undefined;
  /** The id of a sample without reading it. */
  id(position: number): string;
  /** Called once per pass over the data; files are open no longer than the pass. */
  open(): Promise<SampleReader>;
  /** How many samples are read ahead of the one in use. */
  readonly ahead?: number;
}

/** Makes a dataset of samples that are reached by position. */
export function indexedDataset(options: IndexedOptions): Dataset {
  const { source, format, inputs, count, labelled, preprocess, synthetic = false, sequences, ahead = 0 } = options;
  return {
    source,
    format,
    count,
    labelled,
    preprocess,
    synthetic,
    sequences,
    async *samples(selection, onBad) {
      const reader = await options.open();
      const pending: { position: number; reading: Promise<Sample> }[] = [];
      const next = async (): Promise<readonly Sample[]> => {
        const { position, reading } = pending.shift()!;
        return attempt(position, async () => checkSample(await reading, inputs), onBad);
      };
      try {
        for (const position of positionsOf(selection, count)) {
          const reading = reader.read(position);
          // A failure is thrown when its turn comes; until then it must not count as unhandled.
          reading.catch(() => {});
          pending.push({ position, reading });
          if (pending.length > ahead) yield* await next();
        }
        while (pending.length > 0) yield* await next();
      } finally {
        await Promise.allSettled(pending.map(({ reading }) => reading));
        await reader.close?.();
      }
    },
    idsHash(selection) {
      const hash = createHash('sha256');
      for (const position of positionsOf(selection, count)) hash.update(`${options.id(position)}\n`);
      return hash.digest('hex');
    },
  };
}

/** Whether the first sample that can be read has a label. */
export async function firstIsLabelled(count: number, read: (position: number) => Promise<Sample>): Promise<boolean> {
  for (let position = 0; position < count; position++) {
    const sample = await read(position).catch(() => undefined);
    if (sample) return sample.label !== undefined;
  }
  return false;
}

interface StreamOptions {
  readonly source: string;
  readonly format: string;
  readonly inputs: readonly InputInfo[];
  /** Whether the samples carry labels, as far as is known without reading them. */
  readonly labelled: boolean;
  /** A fresh pass from the first sample on; each is made when it is wanted. */
  stream(): AsyncIterable<() => Sample>;
}

/** A dataset whose end is not known: positions are counted while reading, and nothing past the last is read. */
export function streamDataset({ source, format, inputs, labelled, stream }: StreamOptions): Dataset {
  return {
    source,
    format,
    count: undefined,
    labelled,
    preprocess: undefined,
    synthetic: false,
    async *samples(selection, onBad) {
      const wanted = membership(selection);
      if (wanted.last < 0) return;
      let position = 0;
      for await (const sample of stream()) {
        if (wanted.has(position)) yield* await attempt(position, () => checkSample(sample(), inputs), onBad);
        if (position >= wanted.last) return;
        position++;
      }
    },
    idsHash: () => undefined,
  };
}

/** One sample, or none when it is bad and somebody is to be told of it. */
async function attempt(
  position: number,
  work: () => Sample | Promise<Sample>,
  onBad: OnBad | undefined,
): Promise<readonly Sample[]> {
  try {
    return [await work()];
  } catch (error) {
    if (!onBad || !(error instanceof QdqError) || error.kind !== 'data') throw error;
    onBad(position, error);
    return [];
  }
}

/** A `--data` argument, looked at once. */
export interface Target {
  readonly path: string;
  /** `word`: not a path but the name of a generator. */
  readonly kind: 'file' | 'folder' | 'word';
  /** Lower case, with its dot; '' for folders. */
  readonly extension: string;
  /** The names in a folder, sorted, hidden ones left out; empty for files. */
  readonly names: Names;
  /** The names in its first subfolder when a folder holds class folders: what they are shows what it is. */
  readonly below: Names;
}

/** What a format opens. */
export interface OpenRequest {
  readonly target: Target;
  readonly inputs: readonly InputInfo[];
  readonly preprocess: string | undefined;
  readonly seed: number;
  /** How many samples to generate; formats that read files ignore it. */
  readonly count: number;
}

/** A data format. */
export interface Format {
  readonly name: string;
  /** What a user has to give, for the error that lists the formats. */
  readonly accepts: string;
  /** Whether `--preprocess` means something here; elsewhere it is refused. */
  readonly preprocesses: boolean;
  detect(target: Target): boolean;
  open(request: OpenRequest): Promise<Dataset>;
}
