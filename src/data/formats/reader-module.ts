/**
 * Samples from a module of the user: a generator function, an iterable or {length, get(i)} that yields
 * `{input: typed array or {data, dims, type?}, label?}`. What it yields is checked and copied, because a module may
 * well reuse one array for every sample; what it throws is reported with its path and the sample number.
 */
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { QdqError } from '../../errors/qdq-error.ts';
import { dataErrors } from '../../errors/data.ts';
import { firstIsLabelled, indexedDataset, streamDataset } from '../dataset.ts';
import { sampleOf } from '../reader-sample.ts';
import type { InputInfo, Sample } from '../sample.ts';
import type { Format } from './format.ts';

/** What a function is called with, once per pass over the data. */
interface ReaderContext {
  readonly inputs: readonly InputInfo[];
}

type Items = AsyncIterable<unknown> | Iterable<unknown>;
interface Indexed {
  readonly length: number;
  get(position: number): unknown;
}

export const readerModule: Format = {
  name: 'reader',
  accepts: 'a reader module (.mjs, .js or .cjs)',
  preprocesses: false,
  detect: ({ kind, extension }) => kind === 'file' && ['.mjs', '.js', '.cjs'].includes(extension),
  async open({ target: { path }, inputs }) {
    const reader = await importReader(path);
    const sample = (item: unknown, position: number): Sample => sampleOf(item, `${basename(path)}#${position}`, inputs);
    const guard = async <T>(position: number, work: () => T | Promise<T>): Promise<T> => {
      try {
        return await work();
      } catch (cause) {
        throw cause instanceof QdqError ? cause : dataErrors.readerFailed(path, position, cause);
      }
    };
    const begin = async (): Promise<Items | Indexed> => {
      const context: ReaderContext = { inputs };
      const items = typeof reader === 'function' ? await guard(0, () => reader(context) as unknown) : reader;
      return asItems(items, path, typeof reader === 'function');
    };

    const items = await begin();
    if (isIndexed(items)) {
      const read = async (position: number): Promise<Sample> =>
        sample(await guard(position, () => items.get(position)), position);
      const count = items.length;
      if (count === 0) throw dataErrors.empty(path);
      const id = (position: number): string => `${basename(path)}#${position}`;
      const labelled = await firstIsLabelled(count, read);
      return indexedDataset({
        source: path,
        format: 'reader',
        inputs,
        count,
        labelled,
        id,
        open: () => Promise.resolve({ read }),
      });
    }
    const stream = (from: () => Promise<Items | Indexed>): AsyncGenerator<() => Sample> => readAll(from, sample, guard);
    const labelled = await streamIsLabelled(
      stream(() => Promise.resolve(items)),
      path,
    );
    return streamDataset({ source: path, format: 'reader', inputs, labelled, stream: () => stream(begin) });
  },
};

async function importReader(path: string): Promise<unknown> {
  const module = await import(pathToFileURL(resolve(path)).href).then(
    (namespace: Record<string, unknown>) => namespace,
    (cause: unknown) => {
      throw dataErrors.readerImport(path, cause);
    },
  );
  const reader = module['reader'] ?? module['default'];
  if (reader === undefined) throw dataErrors.readerExport(path, "neither 'default' nor 'reader'");
  return reader;
}

/** A generator that is exported already running could be read once only, and calibration reads more than once. */
function asItems(value: unknown, path: string, fresh: boolean): Items | Indexed {
  if (Array.isArray(value)) return { length: value.length, get: (position) => value[position] as unknown };
  if (isIndexed(value)) return value;
  if (isItems(value)) {
    if (!fresh && 'next' in value)
      throw dataErrors.readerExport(path, 'a running generator, which can be read only once');
    return value;
  }
  throw dataErrors.readerExport(
    path,
    `${fresh ? 'a function that returns ' : ''}${value === null ? 'null' : typeof value}`,
  );
}

function isItems(value: unknown): value is Items {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

function isIndexed(value: unknown): value is Indexed {
  const { length, get } = (value ?? {}) as Partial<Indexed>;
  return typeof get === 'function' && Number.isSafeInteger(length) && length! >= 0;
}

type Guard = <T>(position: number, work: () => T | Promise<T>) => Promise<T>;

async function* readAll(
  begin: () => Promise<Items | Indexed>,
  sample: (item: unknown, position: number) => Sample,
  guard: Guard,
): AsyncGenerator<() => Sample> {
  const items = (await begin()) as Items;
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let finished = false;
  try {
    for (let position = 0; ; position++) {
      const step = await guard(position, () => iterator.next());
      finished = step.done === true;
      if (finished) return;
      yield () => sample(step.value, position);
    }
  } finally {
    if (!finished) await iterator.return?.();
  }
}

async function streamIsLabelled(stream: AsyncGenerator<() => Sample>, path: string): Promise<boolean> {
  let empty = true;
  for await (const sample of stream) {
    empty = false;
    try {
      return sample().label !== undefined;
    } catch {
      // A bad sample brings its error when its turn comes.
    }
  }
  if (empty) throw dataErrors.empty(path);
  return false;
}
