/** Which options decide the bytes of a training, and the checkpoint of one with the same. */
import { finetuneErrors } from '../../errors/finetune.ts';
import type { FinetuneOptions } from '../../settings/options.ts';
import { checkpointPath, readCheckpoint, readOrNothing } from '../../qat/checkpoint.ts';

/** All that a byte of the result may depend on, by the name of the option. */
export function settingsOf({
  model: _model,
  output: _output,
  threads: _threads,
  command: _command,
  log: _log,
  resume: _resume,
  checkpoint: _checkpoint,
  checkpointEvery: _every,
  externalData: _external,
  onProgress: _progress,
  onWarning: _warning,
  epochs: _epochs,
  cache: _cache,
  report: _report,
  reportFormat: _reportFormat,
  htmlStatic: _htmlStatic,
  baseline: _baseline,
  updateBaseline: _updateBaseline,
  profile: _profile,
  gates: _gates,
  layers: _layers,
  task: _task,
  taskOption: _taskOption,
  metric: _metric,
  ...rest
}: FinetuneOptions): Record<string, unknown> {
  return rest;
}

/** Where the checkpoint left off; undefined to start anew. @throws QAT_CHECKPOINT_THERE and those of reading it */
export function resumed(
  { checkpoint, resume, onWarning }: FinetuneOptions,
  settings: Record<string, unknown>,
  slots: readonly string[],
  length: number,
): ReturnType<typeof readCheckpoint> {
  if (checkpoint === undefined) return undefined;
  if (!resume) {
    const path = checkpointPath(checkpoint);
    if (readOrNothing(path)) throw finetuneErrors.checkpointThere(path);
    return undefined;
  }
  const found = readCheckpoint(checkpoint, settings, slots, length);
  onWarning?.(found ? `going on after step ${found.state.step}` : `no checkpoint in ${checkpoint}: starting anew`);
  return found;
}
