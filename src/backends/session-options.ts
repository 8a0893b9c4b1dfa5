/**
 * The options of a session, and what is tried where onnxruntime's graph optimizer fails on a model that it takes without: some fusions
 * forget a value that is a graph output now, as tensors inside are when they are observed or compared. Then less of the optimizer is asked
 * for, step by step, and what was left out is reported; an error that no step mends is the model's own.
 */
import { QdqError } from '../errors/qdq-error.ts';

/** Every field has a default that suits calibration and comparison. */
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
   * and this is called with what was left out. Absent: that is an error.
   */
  readonly onFallback?: (warning: string) => void;
  /** No other form of the model is opened in its place: neither widened nor with tensors for outputs that are none. */
  readonly asItIs?: boolean;
  /** More `session.*` entries, keys without the `session.` prefix. */
  readonly extra?: Readonly<Record<string, string>>;
}

/** One way of asking for less. */
interface Fallback {
  readonly options: Pick<SessionOptions, 'level' | 'without'>;
  /** As the warning says it. */
  readonly words: string;
}

const levels = ['all', 'extended', 'basic', 'disabled'] as const;

/** Tried in this order. A single fusion that is known to fail comes first: without it, the rest of the optimizer may well do its work. */
const fallbacks: readonly Fallback[] = [
  { options: { without: ['ReshapeFusion'] }, words: 'without ReshapeFusion' },
  { options: { level: 'extended' }, words: "at optimization level 'extended'" },
  { options: { level: 'basic' }, words: "at optimization level 'basic', without integer kernels" },
  { options: { level: 'disabled' }, words: 'not optimized, without integer kernels' },
];

/** Opens a model, with less of the optimizer where that is what fails. @throws what `open` throws, the first time */
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
    for (const { options: less, words } of fallbacks) {
      if (asked === levels.length - 1 || (less.level && levels.indexOf(less.level) <= asked)) continue;
      const opened = await open({ ...options, ...less }).catch(() => undefined);
      if (opened === undefined) continue;
      onFallback(`onnxruntime's optimizer fails on ${label} once tensors inside are outputs: there it ran ${words}`);
      return opened;
    }
    throw error;
  }
}
