/** Attention as exporters write it, small: scores, a scale, a mask, Softmax, values. */
import type { Model } from '../../src/graph/model.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { buildModel, f32, node, scalar, type Constant, type ValueSpec } from './build.ts';

export interface AttentionOptions {
  /** Default 16. */
  readonly tokens?: number;
  /** Default 32. */
  readonly width?: number;
  /** Nodes from 'scaled' to 'masked'; default none. */
  readonly mask?: readonly NodeProto[];
  /** Nodes from 'attention' to 'guarded'; default none. */
  readonly guard?: readonly NodeProto[];
  readonly inputs?: Readonly<Record<string, ValueSpec>>;
  readonly initializers?: Readonly<Record<string, Constant>>;
}

/** x → q, k, v → scores → scaled → (mask) → attention → (guard) → context → y; every node is named after its output. */
export function attention(options: AttentionOptions = {}): Model {
  const { tokens = 16, width = 32, mask = [], guard = [], inputs = {}, initializers = {} } = options;
  const square = (seed: number): Constant =>
    f32(
      [width, width],
      Array.from({ length: width * width }, (_, i) => Math.sin((i + 1) * 12.9898 * seed) / Math.sqrt(width / 8)),
    );
  const named = { q: square(1), k: square(2), v: square(3), y: square(4) };
  const weights = Object.fromEntries(Object.entries(named).map(([name, value]) => [`w_${name}`, value]));
  const apply = (op: string, from: string[], to: string, attributes = {}): NodeProto =>
    node(op, from, [to], attributes, { name: to });
  return buildModel({
    inputs: { x: [1, tokens, width], ...inputs },
    outputs: { y: [1, tokens, width] },
    initializers: { ...weights, root: scalar('float32', 1 / Math.sqrt(width)), ...initializers },
    nodes: [
      ...['q', 'k', 'v'].map((name) => apply('MatMul', ['x', `w_${name}`], name)),
      apply('Transpose', ['k'], 'kt', { perm: [0, 2, 1] }),
      apply('MatMul', ['q', 'kt'], 'scores'),
      apply('Mul', ['scores', 'root'], 'scaled'),
      ...mask,
      apply('Softmax', [mask.length > 0 ? 'masked' : 'scaled'], 'attention', { axis: -1 }),
      ...guard,
      apply('MatMul', [guard.length > 0 ? 'guarded' : 'attention', 'v'], 'context'),
      apply('MatMul', ['context', 'w_y'], 'y'),
    ],
  });
}
