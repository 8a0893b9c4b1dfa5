/**
 * One update of the parameters: mean gradients in, parameters moved. Scales are trained as LSQ does (their gradient times
 * 1/√(elements × levels), so that they move at the pace of the weights), in the logarithm, or not at all.
 */
import { finetuneErrors } from '../errors/finetune.ts';
import type { Optimizer, OptimizerOptions } from './optimizers.ts';
import { totalLength, type Parameter } from './parameters.ts';

/** How scales are trained. */
export type ScaleTraining = 'lsq' | 'log' | 'none';

/** What holds for every step. */
export interface UpdateOptions extends OptimizerOptions {
  readonly optimizer: Optimizer;
  readonly weightDecay: number;
  readonly scales: ScaleTraining;
  /** Learning rate of scales, in parts of that of weights. */
  readonly scaleLr: number;
  /** Largest norm of the whole gradient, and largest magnitude of each element; undefined: no limit. */
  readonly clipNorm: number | undefined;
  readonly clipValue: number | undefined;
}

/** What rests in a step: scales, and running statistics. */
export interface Resting {
  readonly scales: boolean;
  readonly statistics: boolean;
}

/** Everything that changes from step to step. */
export interface TrainingState {
  /** Steps done. */
  step: number;
  /** In the model's terms: scales are scales. */
  readonly parameters: Float32Array;
  /** Arrays of the optimizer, by slot. */
  readonly slots: Readonly<Record<string, Float32Array>>;
}

/** The state before the first step. */
export function initialState(parameters: Float32Array, optimizer: Optimizer): TrainingState {
  const slots = Object.fromEntries(optimizer.slots.map((slot) => [slot, new Float32Array(parameters.length)]));
  return { step: 0, parameters, slots };
}

/**
 * With more codes than 8 bits have, LSQ lets scales rest: a value beyond the last code weighs as many steps as there are codes, one of
 * them throws the scale off, and steps this fine have nothing to gain.
 */
const mostLevels = 255;

/** A scale never falls below this part of what it is: a step too long would end at 0 or beyond. */
const leastShrink = 0.1;
/** Nor below this: the scale of a dead channel is pushed down step after step, and products with it must not underflow. */
const leastScale = 2 ** -64;

/**
 * Moves `state` by one step. `gradients` is used up; at a statistic it holds what the batch shows.
 * @param lr of this step
 * @returns the norm of the gradient, before it was clipped
 * @throws QAT_EXPLODING when a gradient is not finite
 */
export function update(
  state: TrainingState,
  gradients: Float32Array,
  parameters: readonly Parameter[],
  lr: number,
  options: UpdateOptions,
  resting: Resting,
): number {
  const rests = ({ levels }: Parameter): boolean =>
    options.scales === 'none' || resting.scales || (options.scales === 'lsq' && levels! > mostLevels);
  const values = state.parameters;
  const learned = parameters.filter(({ kind }) => kind !== 'statistic');
  const length = totalLength(learned);
  for (const parameter of learned) {
    const { kind, offset, length: own, levels, elements } = parameter;
    if (kind !== 'scale') continue;
    const factor = rests(parameter) ? 0 : options.scales === 'log' ? 1 : 1 / Math.sqrt(elements! * levels!);
    for (let i = offset; i < offset + own; i++) {
      gradients[i] = gradients[i]! * factor * (options.scales === 'log' ? values[i]! : 1);
    }
  }
  const norm = normOf(gradients, length);
  if (!Number.isFinite(norm)) throw finetuneErrors.exploding(state.step + 1, culprit(gradients, parameters));
  clip(gradients, length, norm, options);
  for (const parameter of learned) {
    const { kind, offset, length: own } = parameter;
    const segment = {
      from: offset,
      to: offset + own,
      lr: kind === 'scale' ? lr * options.scaleLr : lr,
      decay: kind === 'weight' ? options.weightDecay : 0,
    };
    if (kind === 'scale') {
      if (!rests(parameter)) moveScales(state, gradients, segment, options);
    } else {
      options.optimizer.step(segment, values, gradients, state.slots, state.step + 1, options);
    }
  }
  if (!resting.statistics) follow(state, gradients, parameters);
  state.step++;
  return norm;
}

/** Moves running statistics towards those of the batch; statistics stand behind all that is learned. */
function follow(
  { step, parameters: values }: TrainingState,
  seen: Float32Array,
  parameters: readonly Parameter[],
): void {
  for (const { name, kind, offset, length, momentum } of parameters) {
    if (kind !== 'statistic') continue;
    for (let i = offset; i < offset + length; i++) {
      values[i] = momentum! * values[i]! + (1 - momentum!) * seen[i]!;
      if (!Number.isFinite(values[i]!)) throw finetuneErrors.exploding(step + 1, name);
    }
  }
}

function moveScales(
  state: TrainingState,
  gradients: Float32Array,
  segment: Parameters<Optimizer['step']>[0],
  options: UpdateOptions,
): void {
  const { parameters: values, slots, step } = state;
  const before = values.slice(segment.from, segment.to);
  const inLog = options.scales === 'log';
  if (inLog) for (let i = segment.from; i < segment.to; i++) values[i] = Math.log(values[i]!);
  options.optimizer.step(segment, values, gradients, slots, step + 1, options);
  for (let i = segment.from; i < segment.to; i++) {
    const moved = inLog ? Math.exp(values[i]!) : values[i]!;
    values[i] = Math.max(moved, before[i - segment.from]! * leastShrink, leastScale);
  }
}

function normOf(values: Float32Array, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += values[i]! * values[i]!;
  return Math.sqrt(sum);
}

function clip(
  gradients: Float32Array,
  length: number,
  norm: number,
  { clipNorm, clipValue }: Pick<UpdateOptions, 'clipNorm' | 'clipValue'>,
): void {
  if (clipNorm !== undefined && norm > clipNorm) {
    const factor = clipNorm / norm;
    for (let i = 0; i < length; i++) gradients[i] = gradients[i]! * factor;
  }
  if (clipValue !== undefined) {
    for (let i = 0; i < length; i++) gradients[i] = Math.max(-clipValue, Math.min(clipValue, gradients[i]!));
  }
}

/** Names the first tensor whose gradient is not finite. */
function culprit(gradients: Float32Array, parameters: readonly Parameter[]): string {
  const found = parameters.find(({ offset, length }) =>
    gradients.subarray(offset, offset + length).some((value) => !Number.isFinite(value)),
  );
  return found?.name ?? parameters[0]!.name;
}
