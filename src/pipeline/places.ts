/**
 * The files of a run, judged before any work is done: no output replaces an input, whatever the two are called and wherever links lead,
 * no two outputs are one file, and every folder can be written into. An input model is all the files that it is made of.
 *
 * The row of a setting says whether it names files that are read; `writtenBy` lists those that are written. A test holds the settings of all
 * commands against the two.
 */
import { accessSync, constants, realpathSync, statSync, type Stats } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { placeErrors } from '../errors/pipeline.ts';
import { isSameFile } from '../onnx/file.ts';
import { loadModel } from '../onnx/model-file.ts';
import { checkpointPath } from '../qat/checkpoint.ts';
import type { InputFile } from '../settings/setting.ts';
import { row, settingNames } from '../settings/settings.ts';
import { reportFiles } from './compare/report-files.ts';

/** Options of the library that are no settings, and name files that are read. */
const named: Readonly<Record<string, InputFile>> = {
  model: { kind: 'model', as: 'the model' },
  float: { kind: 'model', as: 'the float model' },
  quant: { kind: 'model', as: 'the quantized model' },
  states: { kind: 'file', as: 'the calibration state' },
  file: { kind: 'file', as: 'the report' },
};

/** Options whose files are read. */
export const readFiles: Readonly<Record<string, InputFile>> = {
  ...named,
  ...Object.fromEntries(settingNames.flatMap((name) => (row(name).reads ? [[name, row(name).reads!]] : []))),
};

/** Options whose files are written; `baseline` is as well where it is to be updated, and `into` always: these replace themselves. */
export const writtenBy = ['output', 'report', 'log', 'checkpoint', 'baseline', 'into', 'github'] as const;

/** What folders of samples are made of: an output that stands among them is told by its name alone. */
const sampleFile = /(\.(png|jpe?g|webp|gif|tiff?|bmp|avif|wav|pb|npy|npz|safetensors)|labels\.csv)$/i;

/** A file, or a folder with all that is in it. */
export interface Place {
  readonly flag: string;
  readonly path: string;
  /** file: it appears in place of what is there; folder: made, with files of its own; scratch: removed at the end. */
  readonly kind: 'file' | 'folder' | 'scratch';
  /** It is written only in some runs, and says nothing of its folder. */
  readonly derived?: boolean;
  /** The option that reads it and may replace it. */
  readonly replaces?: string;
}

interface Source {
  readonly option: string;
  readonly path: string;
  /** Names the path. */
  readonly what: string;
}

type Options = Readonly<Record<string, unknown>>;

/**
 * @param options of any command, by their names in the library
 * @param more what is written besides
 * @throws OUTPUT_*
 */
export function checkPlaces(options: object, more: readonly Place[] = []): void {
  const given = options as Options;
  const places = [...placesOf(given), ...more];
  for (const place of places) checkFolder(place);
  places.forEach((place, i) => {
    for (const other of places.slice(0, i)) checkApart(other, place);
  });
  // Only what exists can be lost: a model is taken apart when there is something.
  const existing = places.filter(({ path }) => statOf(path));
  if (existing.length === 0) return;
  const sources = sourcesOf(given);
  for (const place of existing) {
    for (const source of sources) checkSource(place, source);
    checkSamples(place, given);
  }
}

/** The files that the options name for writing. */
function placesOf(options: Options): Place[] {
  const { output, externalData, log, checkpoint, baseline, updateBaseline, into, github } = options;
  const places: Place[] = [];
  const file = (flag: string, path: unknown, more: Partial<Place> = {}): void => {
    if (typeof path === 'string') places.push({ flag, path, kind: 'file', ...more });
  };
  if (typeof output === 'string' && options['for'] === undefined) {
    file('--output', output);
    if (externalData !== undefined && externalData !== 'never') file('--output', `${output}.data`, { derived: true });
    const partial = `${output}.partial`;
    const isFolder = statOf(partial)?.isDirectory() ?? false;
    file('--output', `${partial}.lock`, { derived: true });
    file('--output', partial, { kind: isFolder ? 'scratch' : 'file', derived: true });
  }
  for (const { path } of reportFiles(options as Parameters<typeof reportFiles>[0])) file('--report', path);
  file('--log', log);
  if (typeof checkpoint === 'string') {
    places.push({ flag: '--checkpoint', path: checkpoint, kind: 'folder' });
    file('--checkpoint', checkpointPath(checkpoint), { derived: true });
  }
  if (updateBaseline === true) file('--baseline', baseline, { replaces: 'baseline' });
  file('--into', into, { replaces: 'into' });
  if (github === true) file('GITHUB_STEP_SUMMARY', process.env['GITHUB_STEP_SUMMARY'] || undefined, { derived: true });
  return places;
}

function sourcesOf(options: Options): Source[] {
  const sources: Source[] = [];
  for (const [option, { kind, as }] of Object.entries(readFiles)) {
    const values = [options[option]].flat().filter((value): value is string => typeof value === 'string');
    for (const value of values) {
      const what = `${as} '${value}'`;
      if (kind === 'text') {
        for (const path of pathsIn(value)) sources.push({ option, path, what: `${as} '${path}'` });
        continue;
      }
      sources.push({ option, path: value, what });
      if (kind !== 'model') continue;
      for (const path of externalFiles(value))
        sources.push({ option, path, what: `'${path}', external data of ${what}` });
    }
  }
  return sources;
}

/** Words of a setting that may be files: `tokenizer=tokenizer.json`, or a module. */
function pathsIn(text: string): string[] {
  return [text, ...text.split(/\s+/).map((word) => word.slice(word.indexOf('=') + 1))];
}

function externalFiles(path: string): string[] {
  try {
    const file = loadModel(path);
    const files = file.externalFiles();
    file.close();
    return files;
  } catch {
    // Whatever is wrong with it is said by who reads it.
    return [];
  }
}

function checkSource({ flag, path, kind, replaces }: Place, { option, path: input, what }: Source): void {
  if (replaces === option) return;
  if (kind === 'file' && isSameFile(path, input)) throw placeErrors.outputIsInput(flag, path, what);
  if (kind === 'scratch' && isInside(path, input)) throw placeErrors.holdsInput(flag, path, what);
}

/** Folders of samples are not listed for this: there may be millions of files. */
function checkSamples({ flag, path, kind }: Place, options: Options): void {
  for (const option of ['data', 'eval']) {
    const folder = options[option];
    if (typeof folder !== 'string' || !statOf(folder)?.isDirectory()) continue;
    if (kind === 'file' && sampleFile.test(basename(path)) && isInside(folder, path))
      throw placeErrors.outputIsInput(flag, path, `a sample of ${readFiles[option]!.as} '${folder}'`);
  }
}

/** Whether what is there stands in the folder, through links too. */
function isInside(folder: string, path: string): boolean {
  if (!statOf(path)) return false;
  const outer = realpathSync(folder);
  return realpathSync(path).startsWith(outer.endsWith(sep) ? outer : outer + sep);
}

function checkApart(first: Place, second: Place): void {
  if (first.kind !== 'file' || second.kind !== 'file') return;
  if (isSameFile(first.path, second.path) || placed(first.path) === placed(second.path))
    throw placeErrors.twice(first.flag, second.flag, second.path);
}

/** Where a file will be, in one spelling; its folder exists. */
function placed(path: string): string {
  const folder = realFolder(dirname(resolve(path)));
  const name = basename(path);
  return join(folder, ignoresCase(folder) ? name.toLowerCase() : name);
}

function realFolder(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

function ignoresCase(folder: string): boolean {
  const [upper, lower] = [folder.toUpperCase(), folder.toLowerCase()];
  return upper !== lower && isSameFile(upper, lower);
}

function checkFolder({ flag, path, kind, derived }: Place): void {
  if (derived) return;
  const found = statOf(path);
  if (kind === 'folder') {
    if (found && !found.isDirectory()) throw placeErrors.notAFolder(flag, path);
    checkWritable(flag, nearestFolder(flag, resolve(path)));
    return;
  }
  const folder = dirname(path);
  if (!statOf(folder)?.isDirectory()) throw placeErrors.noFolder(flag, folder);
  if (found?.isDirectory()) throw placeErrors.isFolder(flag, path);
  checkWritable(flag, folder);
}

function nearestFolder(flag: string, path: string): string {
  const found = statOf(path);
  if (found && !found.isDirectory()) throw placeErrors.notAFolder(flag, path);
  return found || dirname(path) === path ? path : nearestFolder(flag, dirname(path));
}

/** Undefined, too, for what may not be looked at. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function checkWritable(flag: string, folder: string): void {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw placeErrors.unwritable(flag, folder, cause);
  }
}
