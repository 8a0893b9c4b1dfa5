/** Labels → target probabilities: 1 for the class, or with label smoothing ε, 1 − ε + ε/C for it and ε/C for the others. */
import { join } from '../data/batch.ts';
import type { InputInfo, Sample } from '../data/sample.ts';
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

/** The shards of a step, `size` samples each. @throws DATA_* when samples do not fit together */
export function shardsOf(
  samples: readonly Sample[],
  size: number,
  inputs: readonly InputInfo[],
  target: TargetRequest | undefined,
): Shard[] {
  const shards: Shard[] = [];
  for (let from = 0; from < samples.length; from += size) {
    const part = samples.slice(from, from + size);
    shards.push({ feeds: join(part, inputs).inputs, ...(target && { target: targetsOf(part, target) }) });
  }
  return shards;
}
