/** Values that hold the same whatever the samples hold: made of constants, and of the shape of something, alone. */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { topologicalDeep } from '../graph/walk.ts';
import { isRandom } from '../ops/index.ts';

/** Results of such nodes. Random numbers vary, and what has a body is taken to. */
export function fixedValues(model: Model): ReadonlySet<Value> {
  const fixed = new Set<Value>();
  const holds = (value: Value | null): boolean => value === null || value.isConstant || fixed.has(value);
  const isFixed = (node: Node): boolean => {
    if (node.is('Shape', 'Size')) return true;
    if (isRandom(node)) return false;
    const { inputs } = node;
    return inputs.some((value) => value !== null) && inputs.every(holds) && node.subgraphs().length === 0;
  };
  for (const node of topologicalDeep(model.graph)) {
    if (!isFixed(node)) continue;
    for (const output of node.outputs) if (output) fixed.add(output);
  }
  return fixed;
}
