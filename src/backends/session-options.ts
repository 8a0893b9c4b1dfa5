/** How a session is asked for. Every field has a default that suits calibration and comparison. */
import { QdqError } from '../errors/qdq-error.ts';

export interface SessionOptions {
  /** Intra-op threads of onnxruntime. Default 1: results do not depend on it, speed does. */
  readonly threads?: number;
  /** Graph optimization level; default 'all'. */
  readonly level?: 'disabled' | 'basic' | 'extended' | 'all';
  /** Keep Q/DQ pairs as they are, in float (`session.disable_quant_qdq`): for calibration, simulation and training. */
  readonly simulate?: boolean;
  /** Exact int8 products on x64 CPUs without VNNI (`session.x64quantprecision`), as VNNI machines compute them. */
  readonly exactInt8?: boolean;
  /** Plan memory once for repeated shapes; default true. Training graphs take half as much without. */
  readonly memoryPattern?: boolean;
  /** Where onnxruntime writes the graph it really runs. */
  readonly optimizedModelPath?: string;
  /** Write a profile of every node until the session ends: the prefix of its path, to which onnxruntime adds the time. */
  readonly profile?: string;
  /** Transformers of the graph that are left out, by onnxruntime's names. */
  readonly without?: readonly string[];
  /**
   * The model is one to which qdq has added outputs: where onnxruntime's optimizer fails on it, it is opened with less of the optimizer
   * and this is told what was left out. Absent: that is an error.
   */
  readonly onFallback?: (told: string) => void;
  /** No other form of the model is opened in its place: neither widened nor with tensors for outputs that are none. */
  readonly asItIs?: boolean;
  /** More `session.*` entries, keys without the `session.` prefix. */
  readonly extra?: Readonly<Record<string, string>>;
}

/**
 * Where onnxruntime's graph optimizer fails on a graph that it takes without: fusions that forget a value which is an output now, as
 * tensors inside are when they are observed or compared. Less of the optimizer is asked for, step by step, and what was left out is
 * told; an error that no step mends is the graph's own.
 */

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
export async function withFallback<T>(
  open: (options: SessionOptions) => Promise<T>,
  { onFallback, ...options }: SessionOptions,
  label: string,
): Promise<T> {
  try {
    return await open(options);
  } catch (error) {
    if (!onFallback || !(error instanceof QdqError) || error.code !== 'BACKEND_LOAD') throw error;
    const asked = levels.indexOf(options.level ?? 'all');
    for (const { options: less, told } of steps) {
      if (asked === levels.length - 1 || (less.level && levels.indexOf(less.level) <= asked)) continue;
      const opened = await open({ ...options, ...less }).catch(() => undefined);
      if (opened === undefined) continue;
      onFallback(`onnxruntime's optimizer fails on ${label} once tensors inside are outputs: there it ran ${told}`);
      return opened;
    }
    throw error;
  }
}
