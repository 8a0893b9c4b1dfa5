/**
 * Nodes that have an int8 form and are better left float, because they would cost more accuracy than they are worth:
 *
 * - Short-time Fourier transforms written as operators: a convolution (or product) with sines and cosines, then the magnitude of the
 *   complex result, √(re² + im²). A spectrum spans more orders of magnitude than 8 bits with one scale resolve, and squaring doubles
 *   the relative error before it: speech models lose most of their accuracy in these few nodes.
 * - Normalizations that are written out and that no fusion makes one operator of, over the channels of images, say. Differences and
 *   quotients would run between quantizers, where what stands around them does; a mean and a variance need more than 8 bits.
 * - The stem of a float stream: a first convolution whose result no int8 node reads, but a normalization does, as that which cuts an
 *   image into patches for a transformer or a ConvNeXt. Its int8 kernel cannot write float, so that the whole stream, which is float
 *   from there on, would begin with 256 steps (26 dB in Swin, where the rest of the network adds less than that). It is a few per cent
 *   of the work.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { centeredBy, rootMeanSquareOf } from '../intrinsic/normalization-pattern.ts';
import { isNormalization } from '../ops/float.ts';
import { specOf } from '../ops/index.ts';
import type { Candidate } from './candidates.ts';
import { firstWeighted } from './optimize.ts';
import type { NodeSelection } from './selection.ts';

/** Why this node, which multiplies weights, belongs to a spectrum; or undefined. */
export function spectralReason(node: Node): string | undefined {
  const output = node.output();
  if (output && onlySquared(output)) return 'its result is only squared, which doubles the error that 8 bits make';
  const input = node.input(0);
  if (input && isSpectrum(input)) {
    return `its input '${input.name}' is a spectrum (sum of two squares), whose magnitudes 8 bits do not resolve`;
  }
  return undefined;
}

/** Operators that pick or place the values of their first input. */
const movers = [
  'Slice',
  'Split',
  'Gather',
  'Reshape',
  'Flatten',
  'Transpose',
  'Squeeze',
  'Unsqueeze',
  'Identity',
  'Cast',
];

function onlySquared(value: Value): boolean {
  if (value.isOutput || value.users.size === 0) return false;
  return [...value.users.keys()].every(
    (user) =>
      isSquare(user) ||
      (user.is(...movers) && user.input(0) === value && user.outputs.every((output) => !output || onlySquared(output))),
  );
}

function isSquare(node: Node | undefined): boolean {
  if (node?.is('Mul')) return node.input(0) === node.input(1);
  if (!node?.is('Pow')) return false;
  const exponent = node.constant(1);
  return exponent?.size === 1 && exponent.floats()[0] === 2;
}

/** Whether a value is re² + im² or its root, moved, or kept away from zero by a constant. */
function isSpectrum({ producer }: Value): boolean {
  if (!producer) return false;
  const inputs = producer.inputs.filter((value) => value !== null);
  if (producer.is('Add') && inputs.every((value) => isSquare(value.producer))) return true;
  const passesOn =
    producer.is('Sqrt', 'Relu', 'Clip', ...movers) ||
    (producer.is('Add', 'Max') && inputs.slice(1).every((value) => value.isConstant));
  return passesOn && inputs[0] !== undefined && isSpectrum(inputs[0]);
}

/** Why the nodes of normalizations that are written out are better left float. */
export function normalizingReasons(nodes: readonly Node[]): ReadonlyMap<Node, string> {
  const reasons = new Map<Node, string>();
  for (const node of nodes) {
    const core = rootMeanSquareOf(node);
    if (!core) continue;
    const reason = `it is a part of the normalization that ends in '${node.label}', and a mean and a variance need more than 8 bits`;
    for (const each of [...core.nodes, ...(centeredBy(core.value) ?? [])]) reasons.set(each, reason);
  }
  return reasons;
}

const stemReason =
  'it is the first operator with weights, and a float stream begins with its result: 256 steps would limit all that follows';

/**
 * Takes stems from the candidates, unless --include names them or nothing else is left, and says why.
 * @param wanted values that some node reads as codes
 * @returns whether there were any
 */
export function keepStems(
  order: readonly Node[],
  byNode: Map<Node, Candidate>,
  wanted: ReadonlySet<Value>,
  selection: NodeSelection,
  reasons: Map<Node, string>,
): boolean {
  const stems = [...firstWeighted(order)].filter((node) => {
    const candidate = byNode.get(node);
    if (!candidate || candidate.rule.kind !== 'anchor' || candidate.rule.floatOutput || selection.wanted(node))
      return false;
    const { outputs } = candidate;
    return outputs.every((output) => !wanted.has(output) && !output.isOutput) && outputs.some(feedsNormalization);
  });
  const anchors = [...byNode.values()].filter(({ rule }) => rule.kind === 'anchor').length;
  if (stems.length === 0 || stems.length === anchors) return false;
  for (const node of stems) {
    byNode.delete(node);
    reasons.set(node, stemReason);
  }
  return true;
}

/** Whether a normalization reads the value, directly or through operators that only follow their neighbours: a Reshape, a sum with positions, a class token joined. */
function feedsNormalization(value: Value): boolean {
  const seen = new Set<Value>();
  const pending = [value];
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    for (const user of next.users.keys()) {
      if (isNormalization(user)) return true;
      const rule = specOf(user)?.quantize?.(user);
      if (rule && typeof rule !== 'string' && rule.kind === 'follow')
        for (const output of user.outputs) if (output) pending.push(output);
    }
  }
  return false;
}
