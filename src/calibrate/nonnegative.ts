/** Which activations cannot be negative, so that their minimum need not be looked for: a range includes zero anyway. */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf, limitsOf } from '../ops/index.ts';

/** Their result is not negative when no float input is. */
const keepsSign = new Set([
  ...['Add', 'Mul', 'Sum', 'Mean', 'Max', 'Concat', 'Identity', 'Relu', 'LeakyRelu', 'PRelu'],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool', 'ReduceMean', 'ReduceSum', 'ReduceMax'],
]);
/** The same for operators whose other inputs are shapes, axes or indices. */
const movesFirst = new Set([
  'Reshape',
  'Flatten',
  'Transpose',
  'Squeeze',
  'Unsqueeze',
  'Slice',
  'Split',
  'Gather',
  'Expand',
  'Tile',
]);

/** `known` remembers the answers of one graph, whose nodes must be in dependency order. */
export function isNonnegative(value: Value, known: Map<Value, boolean>): boolean {
  // An explicit stack: real graphs are deeper than the call stack.
  const stack = [value];
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    const node = top.producer;
    const sources = known.has(top) || !node ? [] : inherits(node);
    const open = sources.filter((source) => !known.has(source));
    if (open.length > 0) {
      stack.push(...open);
      continue;
    }
    stack.pop();
    if (known.has(top)) continue;
    known.set(
      top,
      node !== undefined && (clampsNegative(node) || (sources.length > 0 && sources.every((each) => known.get(each)))),
    );
  }
  return known.get(value)!;
}

/** The activations from which the node's output inherits its sign. */
function inherits(node: Node): Value[] {
  if (node.domain !== '' || clampsNegative(node)) return [];
  if (movesFirst.has(node.opType)) return node.inputs.slice(0, 1).filter((input) => input !== null);
  return keepsSign.has(node.opType) ? node.inputs.filter((input) => input !== null) : [];
}

function clampsNegative(node: Node): boolean {
  const clamp = specOf(node)?.clamp?.(node);
  if (clamp) return clamp.min >= 0;
  const limits = limitsOf(node);
  return limits !== undefined && limits.min >= 0;
}
