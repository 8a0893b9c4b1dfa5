/** How a session is asked for. Every field has a default that suits calibration and comparison. */

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
  readonly onRetreat?: (told: string) => void;
  /** No other form of the model is opened in its place: neither widened nor with tensors for outputs that are none. */
  readonly asItIs?: boolean;
  /** More `session.*` entries, keys without the `session.` prefix. */
  readonly extra?: Readonly<Record<string, string>>;
}
