/** Labels → target probabilities: 1 for the class, or with label smoothing ε, 1 − ε + ε/C for it and ε/C for the others. */
import { feedsOf } from '../data/batch.ts';
import { filledUp, type Runs } from '../data/runs.ts';
import type { Sample } from '../data/sample.ts';
import { finetuneErrors } from '../errors/finetune.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Shard } from './engine.ts';

export interface TargetRequest {
  readonly classes: number;
  readonly smoothing: number;
}

/** @throws QAT_LABEL for a label that is no class, QAT_UNLABELLED for none */
export function targetsOf(samples: readonly Sample[], { classes, smoothing }: TargetRequest): TensorValue {
  const data = new Float32Array(samples.length * classes).fill(smoothing / classes);
  samples.forEach(({ id, label }, row) => {
    if (label === undefined) throw finetuneErrors.unlabelled(id);
    if (!(label >= 0 && label < classes)) throw finetuneErrors.label(id, label, classes);
    data[row * classes + label] = 1 - smoothing + smoothing / classes;
  });
  return { type: 'float32', dims: [samples.length, classes], data };
}

/** The shards of a step, each a run. @throws DATA_* when samples do not fit together */
export function shardsOf(samples: readonly Sample[], runs: Runs, target: TargetRequest | undefined): Shard[] {
  const shards: Shard[] = [];
  for (let from = 0; from < samples.length; from += runs.samples) {
    const part = samples.slice(from, from + runs.samples);
    shards.push({
      feeds: feedsOf(part, runs),
      ...(target && { target: targetsOf(filledUp(part, runs), target) }),
    });
  }
  return shards;
}
