/**
 * The file of a training under way: parameters, the optimizer's arrays, the best so far, and the curve up to here. Batches are a
 * function of the step, so that this is all there is to know. Each checkpoint replaces the one before at once.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { encodeSafetensors } from '../data/safetensors.ts';
import { decodeStateFile } from '../calibrate/state.ts';
import { finetuneErrors } from '../errors/finetune.ts';
import { onnxErrors } from '../errors/onnx.ts';
import { writeWhole } from '../onnx/pending-file.ts';
import type { TrainingState } from './update.ts';
import type { Point, Progress } from './trainer.ts';

/** Every setting on which a byte of the result depends, by the name of its option. */
export type Settings = Readonly<Record<string, unknown>>;

/** What an evaluation found, and at which step. */
export interface Evaluated {
  readonly step: number;
  readonly name: string;
  readonly value: number;
}

/** What a checkpoint holds. */
export interface Checkpoint {
  readonly state: TrainingState;
  readonly progress: Progress;
  readonly curve: readonly Point[];
  readonly evaluations: readonly Evaluated[];
}

const format = 'qdq fine-tuning under way';

const metric = z.strictObject({ name: z.string(), value: z.number() });
const record = z.strictObject({
  step: z.int().positive(),
  best: z.strictObject({ step: z.int(), metric }).optional(),
  sinceBest: z.int(),
  firstLoss: z.number(),
  curve: z.array(
    z.strictObject({
      step: z.int(),
      loss: z.number(),
      lr: z.number(),
      norm: z.number(),
      terms: z.array(z.number()),
    }),
  ),
  evaluations: z.array(z.strictObject({ step: z.int(), name: z.string(), value: z.number() })),
});

/** The file in the folder of a run. */
export function checkpointPath(folder: string): string {
  return join(folder, 'checkpoint.safetensors');
}

/** Makes the folder when it is missing. @throws ONNX_UNWRITABLE */
export function prepareCheckpoints(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw onnxErrors.unwritable(folder, error);
  }
}

/** Writes a checkpoint in the place of the one before. @throws ONNX_UNWRITABLE, ONNX_DISK_FULL */
export function writeCheckpoint(
  folder: string,
  settings: Settings,
  { state, progress, curve, evaluations }: Checkpoint,
): void {
  prepareCheckpoints(folder);
  const { best, sinceBest, firstLoss } = progress;
  const text = JSON.stringify({
    step: state.step,
    ...(best && { best: { step: best.step, metric: best.metric } }),
    sinceBest,
    firstLoss,
    curve,
    evaluations,
  });
  const slots = Object.entries(state.slots).map(([slot, array]) => [`slot.${slot}`, array] as const);
  const arrays = {
    parameters: state.parameters,
    ...Object.fromEntries(slots),
    ...(best && { best: best.parameters }),
  };
  const metadata = { format, settings: JSON.stringify(settings), record: text };
  writeWhole(checkpointPath(folder), encodeSafetensors({ arrays, metadata }));
}

/**
 * Undefined when there is none.
 * @param slots of the optimizer
 * @param length of the flat array of parameters
 * @throws QAT_CHECKPOINT when it is damaged, QAT_CHECKPOINT_OTHER when a setting differs, which is named
 */
export function readCheckpoint(
  folder: string,
  settings: Settings,
  slots: readonly string[],
  length: number,
): Checkpoint | undefined {
  const path = checkpointPath(folder);
  const bytes = readOrNothing(path);
  if (!bytes) return undefined;
  let read;
  try {
    read = decodeStateFile(bytes, path);
  } catch (cause) {
    throw finetuneErrors.checkpoint(path, (cause as Error).message);
  }
  const { arrays, metadata } = read;
  if (metadata['format'] !== format) throw finetuneErrors.checkpoint(path, 'it is a safetensors file of another kind');
  const before = parse(metadata['settings']) as Settings | undefined;
  const differing = [...new Set([...Object.keys(before ?? {}), ...Object.keys(settings)])].find(
    (key) => JSON.stringify(before?.[key]) !== JSON.stringify(settings[key]),
  );
  if (differing !== undefined)
    throw finetuneErrors.otherCheckpoint(path, differing, before?.[differing], settings[differing]);
  const parsed = record.safeParse(parse(metadata['record']));
  const array = (name: string): Float32Array => {
    const found = arrays[name];
    if (!(found instanceof Float32Array) || found.length !== length)
      throw finetuneErrors.checkpoint(path, `its array '${name}' is not that of this model`);
    return found;
  };
  if (!parsed.success) throw finetuneErrors.checkpoint(path, 'its record is damaged');
  const { step, best, sinceBest, firstLoss, curve, evaluations } = parsed.data;
  return {
    state: {
      step,
      parameters: array('parameters'),
      slots: Object.fromEntries(slots.map((slot) => [slot, array(`slot.${slot}`)])),
    },
    progress: { best: best && { ...best, parameters: array('best') }, sinceBest, firstLoss },
    curve,
    evaluations,
  };
}

/** Reads a file; undefined where there is none. */
export function readOrNothing(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw finetuneErrors.checkpoint(path, (cause as Error).message);
  }
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
