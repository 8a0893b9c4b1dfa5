/**
 * The stem of a float stream: a first convolution whose result no int8 node reads, but a normalization does, as that which cuts an image
 * into patches for a transformer or a ConvNeXt. Its int8 kernel cannot write float, so that the whole stream, which is float from
 * there on, would begin with 256 steps (26 dB in Swin, where the rest of the network adds less than that). It is a few per cent of the
 * work.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { isNormalization } from '../ops/float.ts';
import { specOf } from '../ops/index.ts';
import type { Candidate } from './candidates.ts';
import { firstWeighted } from './optimize.ts';
import type { NodeSelection } from './selection.ts';

const reason =
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
    reasons.set(node, reason);
  }
  return true;
}

/** Directly, or through operators that only follow their neighbours: a Reshape, a sum with positions, a class token joined. */
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
