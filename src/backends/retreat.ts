/**
 * Where onnxruntime's graph optimizer fails on a graph that it takes without: fusions that forget a value which is an output now, as
 * tensors inside are when they are observed or compared. Less of the optimizer is asked for, step by step, and what was left out is
 * told; an error that no step mends is the graph's own.
 */
import { QdqError } from '../errors/qdq-error.ts';
import type { SessionOptions } from './options.ts';

interface Step {
  readonly options: Pick<SessionOptions, 'level' | 'without'>;
  readonly told: string;
}

const levels = ['all', 'extended', 'basic', 'disabled'] as const;

/** A fusion that failed in a release before those that stand below it in the optimizer: without it, the rest may well do its work. */
const steps: readonly Step[] = [
  { options: { without: ['ReshapeFusion'] }, told: 'without ReshapeFusion' },
  { options: { level: 'extended' }, told: "at optimization level 'extended'" },
  { options: { level: 'basic' }, told: "at optimization level 'basic', without integer kernels" },
  { options: { level: 'disabled' }, told: 'not optimized, without integer kernels' },
];

/** @throws what `open` throws, the first time */
export async function retreating<T>(
  open: (options: SessionOptions) => Promise<T>,
  { onRetreat, ...options }: SessionOptions,
  label: string,
): Promise<T> {
  try {
    return await open(options);
  } catch (error) {
    if (!onRetreat || !(error instanceof QdqError) || error.code !== 'BACKEND_LOAD') throw error;
    const asked = levels.indexOf(options.level ?? 'all');
    for (const { options: less, told } of steps) {
      if (asked === levels.length - 1 || (less.level && levels.indexOf(less.level) <= asked)) continue;
      const opened = await open({ ...options, ...less }).catch(() => undefined);
      if (opened === undefined) continue;
      onRetreat(`onnxruntime's optimizer fails on ${label} once tensors inside are outputs: there it ran ${told}`);
      return opened;
    }
    throw error;
  }
}
