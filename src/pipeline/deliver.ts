/**
 * A finished model → a file, once it is proven. A small model is loaded and run before a byte of it is on disk. A large one is
 * written into a folder beside its place, so that its new constants are made once and never held, proven there, and moved. The folder
 * outlives a run that was stopped, and the same command goes on with what is in it.
 */
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { withFloat32Ports } from '../backends/other-forms.ts';
import { openSession } from '../backends/session.ts';
import { QdqError } from '../errors/qdq-error.ts';
import { backendErrors } from '../errors/backends.ts';
import { onnxErrors } from '../errors/onnx.ts';
import type { Model } from '../graph/model.ts';
import { modelToProto } from '../graph/to-proto.ts';
import { FileRange, isSameFile } from '../onnx/file.ts';
import { lock } from '../onnx/lock.ts';
import { saveModel, type ModelFile, type SavedModel } from '../onnx/model-file.ts';
import type { RunFlags, ExternalDataMode } from '../settings/options.ts';
import { runOnce, type Samples } from './samples/samples.ts';
import { inputsOf } from './source/source.ts';

export interface DeliverOptions extends RunFlags {
  readonly model: string;
  readonly output: string;
  readonly externalData: ExternalDataMode;
  /** It holds operators that only a library of the user's runs: it is written as it is. */
  readonly unproven?: boolean;
}

export interface Delivered extends SavedModel {
  /** False when the model was only loaded. */
  readonly ran: boolean;
}

/**
 * Bytes of new constants. inMemory: up to here they are made for the proof before anything is written. byRunning: running reads
 * every weight, so that beyond this a model is loaded only.
 */
const proofs = { inMemory: 2 ** 25, byRunning: 2 ** 29 };

/** @throws BACKEND_LOAD, BACKEND_RUN for a model that onnxruntime refuses, BACKEND_OWN_FORM where it refuses only what was made of it, and what saving throws; nothing is written then */
export async function deliver(
  model: Model,
  source: ModelFile,
  options: DeliverOptions,
  samples: Samples,
  limits: typeof proofs = proofs,
): Promise<Delivered> {
  const bytes = newBytes(model);
  if (bytes > limits.inMemory)
    return deliverLarge(model, source, options, bytes <= limits.byRunning ? samples : undefined);
  if (!options.unproven) await prove(model, undefined, options, samples);
  return { ...save(model, source, options.output, options), ran: !options.unproven };
}

function newBytes(model: Model): number {
  let bytes = 0;
  for (const graph of model.graph.graphs()) {
    for (const { initializer } of graph.values.values()) {
      if (initializer && initializer.type.name !== 'string' && !(initializer.payload() instanceof FileRange))
        bytes += initializer.byteLength;
    }
  }
  return bytes;
}

/** Loads and, with samples, runs: the model, or the file that was made of it. A file is opened so that its weights stay there: no optimization, no prepacking. */
async function prove(
  model: Model,
  path: string | undefined,
  options: DeliverOptions,
  samples: Samples | undefined,
): Promise<void> {
  const { threads } = options;
  const settings =
    path !== undefined ? { threads, level: 'disabled' as const, extra: { disable_prepacking: '1' } } : { threads };
  const run = async (subject: Model | string, label: string): Promise<void> => {
    const session = withFloat32Ports(await openSession(subject, settings, label));
    try {
      if (samples) await runOnce(session, inputsOf(model), samples);
    } finally {
      await session.dispose();
    }
  };
  try {
    await run(path ?? model, `the quantized form of '${options.model}'`);
  } catch (error) {
    if (!(error instanceof QdqError) || !refusals.has(error.code)) throw error;
    // The float model may be what does not run.
    await run(options.model, `'${options.model}'`);
    throw backendErrors.ownForm(options.model, error);
  }
}

const refusals = new Set(['BACKEND_LOAD', 'BACKEND_RUN']);

function save(
  model: Model,
  source: ModelFile,
  path: string,
  options: DeliverOptions & { readonly resumeKey?: string },
): SavedModel {
  const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
  let told = -1;
  return saveModel(modelToProto(model), path, {
    externalData: options.externalData,
    sourceDir: source.dir,
    inputs: [source.path],
    ...(options.resumeKey === undefined ? {} : { resumeKey: options.resumeKey }),
    onProgress(bytes, total) {
      if (megabytes(bytes) === told) return;
      told = megabytes(bytes);
      options.onProgress?.({ stage: 'writing', done: told, total: megabytes(total), unit: 'MB' });
    },
  });
}

/** @param samples undefined: it is loaded only */
async function deliverLarge(
  model: Model,
  source: ModelFile,
  options: DeliverOptions,
  samples: Samples | undefined,
): Promise<Delivered> {
  const { output } = options;
  for (const place of [output, `${output}.data`]) {
    const taken = [source.path, ...source.externalFiles()].some((input) => isSameFile(place, input));
    if (taken) throw onnxErrors.outputIsInput(place);
  }
  const folder = `${output}.partial`;
  const free = lock(folder);
  try {
    makeFolder(folder);
    const saved = save(model, source, join(folder, basename(output)), {
      ...options,
      resumeKey: identityOf(source),
    });
    if (!options.unproven) await prove(model, saved.path, options, samples);
    if (saved.dataPath !== undefined) renameSync(saved.dataPath, `${output}.data`);
    renameSync(saved.path, output);
    const dataPath = saved.dataPath === undefined ? {} : { dataPath: `${output}.data` };
    return { path: output, ...dataPath, byteLength: saved.byteLength, ran: samples !== undefined && !options.unproven };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    free();
  }
}

/** What the weights are read from. Files of external data are too large to hash twice: their sizes and times stand for them. */
function identityOf(source: ModelFile): string {
  const files = source.externalFiles().map((path) => {
    const { size, mtimeMs } = statSync(path);
    return `${path} ${size} ${mtimeMs}`;
  });
  return [source.sha256(), ...files].join('\n');
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw onnxErrors.unwritable(path, error as NodeJS.ErrnoException);
  }
}
