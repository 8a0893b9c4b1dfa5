/**
 * A batch that the inputs leave open and a Reshape inside fixes all the same: its constant shape begins with a number of samples. Exporters
 * that were told to make the batch free leave such shapes behind.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';

export interface FixedReshape {
  readonly node: Node;
  /** The input whose open batch it fixes. */
  readonly input: Value;
  readonly size: number;
}

/** Candidates: such a shape may as well be meant, which only a run tells. */
export function fixedReshapes(inputs: readonly Value[]): FixedReshape[] {
  const found: FixedReshape[] = [];
  for (const input of inputs) {
    if (!input.dims?.length || typeof input.dims[0] === 'number') continue;
    const reached = new Set<Value>([input]);
    // A set is walked in the order in which it grows.
    for (const value of reached) {
      for (const node of value.users.keys()) {
        const size = node.is('Reshape') && node.input(0) === value ? firstOf(node) : undefined;
        if (size !== undefined && size > 0) found.push({ node, input, size });
        if (node.is('Shape', 'Size')) continue;
        for (const output of node.outputs) if (output) reached.add(output);
      }
    }
  }
  return found;
}

function firstOf(node: Node): number | undefined {
  const shape = node.constant(1);
  return shape && shape.dims[0] !== 0 ? Number(shape.data()[0]) : undefined;
}
