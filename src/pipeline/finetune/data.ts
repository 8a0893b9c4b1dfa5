/** Which samples train and which judge, and how they are cut into steps and shards. */
import { planRuns, type Runs } from '../../data/runs.ts';
import type { Dataset, InputInfo, Sample, Selection } from '../../data/sample.ts';
import { choose } from '../../data/selection.ts';
import { finetuneErrors } from '../../errors/finetune.ts';
import type { FinetuneOptions } from '../../settings/options.ts';
import { cautions, everySample, openFlags, type Samples } from '../samples/samples.ts';

export interface TrainingData {
  readonly dataset: Dataset;
  /** Ascending; undefined for a stream. */
  readonly positions: readonly number[] | undefined;
  /** Undefined when nothing is left to judge by. */
  readonly evaluation: Samples | undefined;
  /** Samples per update, before accumulation, and per run of the training graph. */
  readonly batch: number;
  readonly shard: number;
  /** How a shard runs. */
  readonly runs: Runs;
  /** The samples of one shard. */
  readonly first: readonly Sample[];
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
  const [sample] = await firstOf(dataset, positions, 1);
  const planned = planRuns(inputs, sample!, usualBatch, dataset);
  const { batch, shard } = cut(options, planned, positions?.length);
  const runs = { ...planned, samples: shard };
  const first = await firstOf(dataset, positions, shard);
  return { dataset, positions, evaluation, batch, shard, runs, first, warnings };
}

function cut(
  { batch: asked, workers, accumulate }: FinetuneOptions,
  { samples, fixed: filled }: Runs,
  count: number | undefined,
): { batch: number; shard: number } {
  // Inputs that go together in no other number than one are a limit as well.
  const fixed = filled || samples === 1;
  const limit = samples;
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

/** The first samples of the training set. */
async function firstOf(
  dataset: Dataset,
  positions: readonly number[] | undefined,
  count: number,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const selection: Selection = positions ? positions.slice(0, count) : { from: 0, to: count };
  for await (const sample of dataset.samples(selection)) samples.push(sample);
  if (samples.length < count) throw finetuneErrors.fewSamples(samples.length, count);
  return samples;
}
