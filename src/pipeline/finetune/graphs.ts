/**
 * The graphs of a training: what is trained, with BatchNormalization taken apart where it lives, and one training graph for each
 * way in which it takes part.
 */
import { blockConvolutions, blockSize } from '../../backends/blocked-conv.ts';
import { createExecutor } from '../../backends/session.ts';
import { serializeModel, type SerializedModel } from '../../backends/serialized-model.ts';
import { finetuneErrors } from '../../errors/finetune.ts';
import type { Model } from '../../graph/model.ts';
import type { TensorValue } from '../../onnx/data-types.ts';
import type { FinetuneOptions } from '../../settings/options.ts';
import { unfoldNorms, type Statistics } from '../../qat/live-norm.ts';
import type { LossTerm } from '../../qat/losses.ts';
import { dropNorms, readNorms, type NormMode, type NormRecord } from '../../qat/norm-record.ts';
import { traceShapes } from '../../qat/tracing.ts';
import { buildTrainingGraph, type TrainingGraph } from '../../qat/training-graph.ts';

/** What becomes of BatchNormalization. */
export interface NormPlan {
  readonly mode: NormMode | 'fold';
  readonly norms: readonly NormRecord[];
  /** The model to train: weights unfolded where BatchNormalization lives, else the model itself. */
  readonly model: Model;
  readonly warnings: readonly string[];
}

/** @throws QAT_NO_NORMS when statistics are asked for that the model does not hold */
export function planNorms(model: Model, { model: path, bn, freezeBn }: FinetuneOptions): NormPlan {
  const held = readNorms(model);
  const mode = bn ?? held?.mode ?? 'fold';
  if (mode !== 'fold' && !held) throw finetuneErrors.noNorms(path, `--bn ${mode}`);
  if (freezeBn !== undefined && mode !== 'train') throw finetuneErrors.freezeWithout(mode);
  if (mode === 'fold' || !held) {
    dropNorms(model);
    return { mode: 'fold', norms: [], model, warnings: [] };
  }
  const { model: unfolded, norms, folded } = unfoldNorms(model, held.norms);
  const warnings = folded.map(
    ({ node, reason }) => `the BatchNormalization behind weight '${node}' stays folded: ${reason}`,
  );
  return { mode, norms, model: unfolded, warnings };
}

/** Of the steps of a training, without --freeze-bn: the first half sees the statistics of its batches. */
const usualShare = 2;

/** The step from which on running statistics rest; undefined when they always do. */
export function normsFreezeAt({ mode }: NormPlan, asked: number | undefined, steps: number): number | undefined {
  return mode === 'train' ? (asked ?? Math.ceil(steps / usualShare)) : undefined;
}

/** One training graph, or two when batch statistics give way to running ones. */
export async function buildPhases(
  { mode, norms, model }: NormPlan,
  terms: readonly LossTerm[],
  feeds: Readonly<Record<string, TensorValue>>,
  shard: number,
): Promise<{ training: SerializedModel[]; graphs: Omit<TrainingGraph, 'model'>[] }> {
  const phases: readonly Statistics[] = mode === 'train' ? ['batch', 'running'] : ['running'];
  const training: SerializedModel[] = [];
  const graphs: Omit<TrainingGraph, 'model'>[] = [];
  const block = await blockSize();
  for (const statistics of phases) {
    const live = { norms, statistics };
    const built = await buildTrainingGraph(model, terms, feeds, shard, traceShapes, createExecutor(), live);
    const { model: graph, ...rest } = built;
    blockConvolutions(graph, block);
    training.push(serializeModel(graph, 'the training graph'));
    graphs.push(rest);
  }
  return { training, graphs };
}
