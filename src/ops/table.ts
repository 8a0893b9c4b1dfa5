/** Which Gather is an embedding: rows picked from a constant table that is worth quantizing. */
import type { Node } from '../graph/node.ts';

/** Fewer elements than this are picked from by shape arithmetic rather than by meaning. */
const leastTable = 1024;

/** Why the node, whose input 0 is constant, is no embedding; or undefined. */
export function noTable(node: Node): string | undefined {
  const { dims, size, name } = node.constant(0)!;
  if (dims.length !== 2) return `its table '${name}' has ${dims.length} dimensions, not 2`;
  if (node.int('axis', 0) !== 0) return 'it gathers along another axis than the first';
  return size < leastTable ? `its table '${name}' has ${size} elements only` : undefined;
}
