/** The contract of a loss: what it compares the model's outputs with, and the nodes that compute it. One file per loss. */
import type { Emitter } from '../../graph/emitter.ts';
import type { Value } from '../../graph/value.ts';

/** One term of the training loss. */
export interface LossTerm {
  /** Id of the loss. */
  readonly loss: string;
  readonly weight: number;
  /** Of distillation. */
  readonly temperature: number;
}

export interface Compared {
  /** Of the model that is trained, float32. */
  readonly output: Value;
  readonly dims: readonly number[];
  /** Same shape: what the teacher has there, or target probabilities. */
  readonly wanted: Value;
}

export interface LossContext {
  readonly batch: number;
  readonly temperature: number;
}

export interface Loss {
  /** What `--loss` names. */
  readonly id: string;
  /** One line for help and docs. */
  readonly summary: string;
  readonly needs: 'labels' | 'teacher';
  /** What of the model it judges: its outputs, or the activations that are quantized inside. */
  readonly compares: 'outputs' | 'activations';
  /** Whether it can judge an output of this shape. */
  takes(dims: readonly number[], batch: number): boolean;
  /** Appends nodes; returns one number, the mean over the batch. */
  build(emit: Emitter, compared: Compared, context: LossContext): Value;
}

/** Scores of shape [batch, classes]. */
export function hasClasses(dims: readonly number[], batch: number): boolean {
  return dims.length === 2 && dims[0] === batch && dims[1]! >= 2;
}
