/** Which samples train and which judge, and how they are cut into steps and shards. */
import { largestBatch } from '../data/batch.ts';
import type { Dataset, InputInfo, Sample, Selection } from '../data/sample.ts';
import { choose } from '../data/select.ts';
import { finetuneErrors } from '../errors/finetune.ts';
import type { FinetuneOptions } from '../pipeline-types.ts';
import { cautions, everySample, openFlags, type Samples } from './samples.ts';

export interface TrainingData {
  readonly dataset: Dataset;
  /** Ascending; undefined for a stream. */
  readonly positions: readonly number[] | undefined;
  /** Undefined when nothing is left to judge by. */
  readonly evaluation: Samples | undefined;
  /** Samples per update, before accumulation, and per run of the training graph. */
  readonly batch: number;
  readonly shard: number;
  readonly warnings: readonly string[];
}

const usualBatch = 128;
/** Of a model whose batch is fixed: runs per update. */
const usualRuns = 16;
/** Without --eval: a tenth of the samples judges, no more than this. */
const mostHeldOut = 500;
const heldOutShare = 10;

/** @throws QAT_BATCH, QAT_FEW_SAMPLES, QAT_STATEFUL; those of the data */
export async function trainingData(options: FinetuneOptions, inputs: readonly InputInfo[]): Promise<TrainingData> {
  const dataset = await openFlags(options, inputs);
  if (dataset.carry) throw finetuneErrors.stateful();
  const { count } = dataset;
  const warnings = cautions(dataset);
  let positions: readonly number[] | undefined;
  let evaluation: Samples | undefined;
  if (count !== undefined) {
    const { chosen, note } = choose(count, options.samples ?? count, options.seed);
    if (note !== undefined) warnings.push(note);
    positions = chosen as readonly number[];
    if (options.eval === undefined) {
      const held = Math.min(mostHeldOut, Math.floor(positions.length / heldOutShare));
      const split = choose(positions.length, held, options.seed);
      const pick = (places: Selection): number[] => (places as readonly number[]).map((place) => positions![place]!);
      if (held > 0) evaluation = { dataset, selection: pick(split.chosen) };
      positions = held > 0 ? pick(split.rest) : positions;
    }
  }
  if (options.eval !== undefined) evaluation = await everySample(options, options.eval, inputs);
  const { batch, shard } = cut(options, inputs, positions?.length);
  return { dataset, positions, evaluation, batch, shard, warnings };
}

function cut(
  { batch: asked, workers, accumulate }: FinetuneOptions,
  inputs: readonly InputInfo[],
  count: number | undefined,
): { batch: number; shard: number } {
  const limit = largestBatch(inputs);
  const fixed = limit !== Infinity;
  const unit = fixed ? limit : workers;
  let batch = asked ?? (fixed ? usualRuns * limit : usualBatch);
  // A few samples make smaller steps, unless the size was asked for.
  if (asked === undefined && count !== undefined) {
    batch = Math.max(unit, Math.min(batch, Math.floor(count / accumulate / unit) * unit));
  }
  if (batch % unit !== 0) throw finetuneErrors.batch(batch, unit, fixed);
  if (count !== undefined && count < batch * accumulate) throw finetuneErrors.fewSamples(count, batch * accumulate);
  return { batch, shard: fixed ? limit : batch / workers };
}

/** The first samples of the training set, one shard of them. */
export async function firstShard({ dataset, positions, shard }: TrainingData): Promise<Sample[]> {
  const samples: Sample[] = [];
  const selection: Selection = positions ? positions.slice(0, shard) : { from: 0, to: shard };
  for await (const sample of dataset.samples(selection)) samples.push(sample);
  if (samples.length < shard) throw finetuneErrors.fewSamples(samples.length, shard);
  return samples;
}
