/**
 * Opens data: what the user gave as `--data` or `--reader` becomes a Dataset for one model's inputs, read by one of the formats listed
 * here.
 */
import { statSync } from 'node:fs';
import { opendir, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { nearest } from '../errors/qdq-error.ts';
import { dataErrors } from '../errors/data.ts';
import type { Format, Target } from './dataset.ts';
import { imageFolder } from './formats/image-folder.ts';
import { npy, npz } from './formats/numpy.ts';
import { random } from './formats/random.ts';
import { readerModule } from './formats/reader-module.ts';
import { safetensors } from './formats/safetensors.ts';
import { tensorProto } from './formats/tensor-proto.ts';
import { text } from './formats/text.ts';
import { wav } from './formats/wav.ts';
import { entriesAtOnce, NameCollector, Names } from './file-tree.ts';
import type { Dataset, InputInfo } from './sample.ts';
import { skippingBad } from './skip-bad.ts';

interface DataOptions {
  /** A file, a folder, or `random`. */
  readonly path?: string;
  /** A module that yields samples; instead of `path`. */
  readonly reader?: string;
  /** Preset and keys, for images. */
  readonly preprocess?: string;
  /** For `random`. Default 0. */
  readonly seed?: number;
  /** For `random`: how many samples to generate. Default 32. */
  readonly count?: number;
  /** Leave bad samples out instead of ending with an error. */
  readonly skipBad?: boolean;
}

/**
 * Every data format, most specific first: the first that recognises the data opens it. To add one: write its file in formats/ and list it
 * here.
 */
const formats: readonly Format[] = [random, tensorProto, npy, npz, safetensors, text, readerModule, wav, imageFolder];

/** What is no path but the name of a generator. */
const words = ['random'];

/** Opens the data of one command. @throws QdqError: usage errors for what was asked, data errors for what was found. */
export async function openData(options: DataOptions, inputs: readonly InputInfo[]): Promise<Dataset> {
  const { path, reader, preprocess, seed = 0, count = 32 } = options;
  if (path !== undefined && reader !== undefined) throw dataErrors.dataAndReader(path, reader);
  const given = reader ?? path;
  if (given === undefined) throw dataErrors.noData(formats.map(({ accepts }) => accepts));
  const target = await look(given);
  const format = reader === undefined ? formats.find(({ detect }) => detect(target)) : readerModule;
  if (!format)
    throw dataErrors.unknownFormat(
      given,
      formats.map(({ accepts }) => accepts),
    );
  if (preprocess !== undefined && !format.preprocesses) throw dataErrors.preprocessNotImages(format.name);
  const dataset = await format.open({ target, inputs, preprocess, seed, count });
  return options.skipBad ? skippingBad(dataset) : dataset;
}

async function look(path: string): Promise<Target> {
  if (words.includes(path)) return { path, kind: 'word', extension: '', names: Names.none, below: Names.none };
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => cause);
  if (found instanceof Error) {
    if (found.code === 'ENOENT' || found.code === 'ENOTDIR') throw await notFound(path);
    throw dataErrors.unreadable(path, found);
  }
  if (!found.isDirectory())
    return { path, kind: 'file', extension: extname(path).toLowerCase(), names: Names.none, below: Names.none };
  const names = await list(path);
  const folder = names.filter((name) => extname(name) === '').find((name) => isFolder(join(path, name)));
  const below = folder === undefined ? Names.none : await list(join(path, folder));
  return { path, kind: 'folder', extension: '', names, below };
}

async function list(path: string): Promise<Names> {
  const names = new NameCollector();
  try {
    for await (const { name } of await opendir(path, { bufferSize: entriesAtOnce })) {
      if (!name.startsWith('.')) names.add(name);
    }
  } catch (cause) {
    throw dataErrors.unreadable(path, cause);
  }
  return names.sorted();
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Names the first part of the path that is missing and its nearest sibling. */
async function notFound(path: string): Promise<Error> {
  let missing = path;
  for (;;) {
    const parent = dirname(missing);
    const siblings = await readdir(parent).catch(() => undefined);
    if (siblings) {
      const match = nearest(basename(missing), siblings) ?? (parent === '.' ? nearest(missing, words) : undefined);
      return dataErrors.notFound(path, missing, match);
    }
    if (parent === missing) return dataErrors.notFound(path, missing, undefined);
    missing = parent;
  }
}
