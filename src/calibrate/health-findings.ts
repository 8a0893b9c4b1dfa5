/**
 * Findings about a calibration, from the health in its state (health.ts): ranges that still grow, outliers, dead and constant channels.
 *
 * Constant channels are looked at once more: that a channel's maximum is the same in every sample may be the doing of its border,
 * where zeros are padded, or of a limit; one sample in which the channel varies tells. That is one inference, and only where there is
 * something to confirm.
 */
import type { SessionOptions } from '../backends/session-options.ts';
import { openSession } from '../backends/session.ts';
import { feedsOfOne } from '../data/batch.ts';
import { inputsOf } from '../data/model-inputs.ts';
import type { Dataset, Selection } from '../data/sample.ts';
import { copyModel } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import { activationFinder, setOutputs } from './graph-outputs.ts';
import { folds, unpack, type HealthState } from './health.ts';
import { binsOf, decodeHistograms } from './histogram.ts';
import type { ObserverState } from './observers/observer.ts';

/** What happened to some channels of a tensor. */
interface ChannelFinding {
  readonly tensor: string;
  /** Number of such channels, and of all. */
  readonly channels: number;
  readonly of: number;
  /** Which they are, from 0. */
  readonly which: number[];
}

/** All findings. */
export interface Health {
  readonly samples: number;
  /** Tensors of which the range was observed, and those of them whose channels were told apart. */
  readonly tensors: number;
  readonly byChannel: number;
  /** By share, falling: the part of its range that a tenth of the samples adds. */
  readonly growing: { tensor: string; share: number }[];
  /**
   * By ratio, falling: the largest magnitude over what is usual, the largest of the median fold or, where a histogram tells more,
   * the 99.9th percentile.
   */
  readonly outliers: { tensor: string; ratio: number }[];
  readonly dead: ChannelFinding[];
  readonly constant: ChannelFinding[];
}

/** Share of the range above which a tensor counts as growing: it would double the error of many a scale in ten times the samples. */
const growingShare = 0.02;
/** Largest over usual magnitude above which a tensor has outliers: usual values then share a quarter of the codes. */
const outlierRatio = 4;
/** Fewer samples leave folds empty and channels equal by chance. */
const leastSamples = 20;

/**
 * Reads the findings from a state; undefined where nothing can be told: ranges of another tool, samples that ran in batches, or too few of
 * them.
 * @param samples that the ranges are of
 */
export function healthOf(tensors: readonly string[], arrays: ObserverState, samples: number): Health | undefined {
  const state = unpack(arrays);
  if (!state || state.samples[0] !== samples || samples < leastSamples) return undefined;
  const byRatio = tensors.map((tensor, i) => ({ tensor, ratio: outlierRatioOf(arrays, state, tensors.length, i) }));
  const byShare = tensors.map((tensor, i) => ({ tensor, share: shareOf(state, i) }));
  const { dead, constant } = channelFindings(tensors, state);
  return {
    samples,
    tensors: tensors.length,
    byChannel: state.channels.filter((each) => each > 0).length,
    growing: byShare.filter(({ share }) => share > growingShare).sort((a, b) => b.share - a.share),
    outliers: byRatio.filter(({ ratio }) => ratio > outlierRatio).sort((a, b) => b.ratio - a.ratio),
    dead,
    constant,
  };
}

/**
 * The mean part of the range that is lost without one of the folds: mean over the folds f of 1 - w_f / w, where w is the width of the
 * range, zero included, and w_f its width without the samples of f.
 */
function shareOf({ min, max }: HealthState, tensor: number): number {
  const held = filledFolds(max, tensor);
  const widthOf = (among: readonly number[]): number =>
    among.reduce((most, at) => Math.max(most, max[at]!), 0) - among.reduce((least, at) => Math.min(least, min[at]!), 0);
  const whole = widthOf(held);
  if (held.length < 2 || whole === 0) return 0;
  const lost = held.map((fold) => 1 - widthOf(held.filter((other) => other !== fold)) / whole);
  return lost.reduce((sum, each) => sum + each, 0) / held.length;
}

function filledFolds(max: Float32Array, tensor: number): number[] {
  return Array.from({ length: folds }, (_, fold) => tensor * folds + fold).filter((at) => max[at]! > -Infinity);
}

function outlierRatioOf(arrays: ObserverState, { min, max }: HealthState, count: number, tensor: number): number {
  const magnitudes = filledFolds(max, tensor).map((at) => Math.max(-min[at]!, max[at]!));
  const largest = Math.max(0, ...magnitudes);
  const histograms = decodeHistograms(arrays, count);
  const usual = [
    magnitudes.sort((a, b) => a - b)[magnitudes.length >> 1] ?? 0,
    ...(histograms ? [percentileOfMagnitude(binsOf(histograms, tensor, -largest, largest), 0.999)] : []),
  ];
  const least = Math.min(...usual.filter((each) => each > 0));
  return Number.isFinite(least) ? largest / least : 1;
}

/** A percentile of |x|, to the width of a bin. */
function percentileOfMagnitude({ low, high, count, total }: ReturnType<typeof binsOf>, fraction: number): number {
  const ends = Array.from(count, (_, i) => Math.max(-low[i]!, high[i]!));
  const order = [...count.keys()].sort((a, b) => ends[a]! - ends[b]!);
  let before = 0;
  for (const bin of order) if ((before += count[bin]!) >= fraction * total) return ends[bin]!;
  return 0;
}

function channelFindings(
  tensors: readonly string[],
  { channels, alike, min, max }: HealthState,
): Pick<Health, 'dead' | 'constant'> {
  const found: Pick<Health, 'dead' | 'constant'> = { dead: [], constant: [] };
  let begin = 0;
  tensors.forEach((tensor, i) => {
    const of = channels[i]!;
    const at = begin;
    begin += of;
    // A limit that many channels reach in every sample, such as 6 of a Relu6, says nothing of any.
    const held = filledFolds(max, i);
    const top = Math.max(...held.map((at) => max[at]!));
    const nonnegative = held.every((at) => min[at]! >= 0);
    const same = Array.from({ length: of }, (_, c) => c).filter((c) => !Number.isNaN(alike[at + c]!));
    const isDead = (c: number): boolean => alike[at + c] === 0 && nonnegative;
    for (const [kind, which] of [
      ['dead', same.filter(isDead)],
      ['constant', same.filter((c) => !isDead(c) && (alike[at + c] !== top || of === 1))],
    ] as const)
      if (which.length > 0 && top > 0) found[kind].push({ tensor, channels: which.length, of, which });
  });
  return found;
}

/**
 * The findings without constant channels that vary in one more sample.
 * @param model of which `health` is; the samples are its own, or others
 */
export async function confirmConstants(
  health: Health | undefined,
  model: Model,
  dataset: Dataset,
  selection: Selection,
  options: SessionOptions,
): Promise<Health | undefined> {
  if (!health || health.constant.length === 0) return health;
  const copy = copyModel(model);
  const find = activationFinder(copy);
  setOutputs(
    copy.graph,
    health.constant.map(({ tensor }) => find(tensor)),
  );
  const session = await openSession(copy, { ...options, simulate: true, onFallback: () => undefined });
  try {
    for await (const sample of dataset.samples(selection, () => {})) {
      const results = await session.run(feedsOfOne(sample, inputsOf(model), dataset));
      const constant = health.constant.flatMap(({ tensor, which, ...rest }) => {
        const left = which.filter((channel) => isConstant(results[tensor]!, channel));
        return left.length > 0 ? [{ ...rest, tensor, channels: left.length, which: left }] : [];
      });
      return { ...health, constant };
    }
  } finally {
    await session.dispose();
  }
  return health;
}

/** Whether all elements of a channel of the first image are equal. @param value [N, C, H, W] */
function isConstant({ dims, data }: TensorValue, channel: number): boolean {
  const area = dims[2]! * dims[3]!;
  const plane = (data as Float32Array).subarray(channel * area, (channel + 1) * area);
  return plane.every((element) => element === plane[0]);
}
