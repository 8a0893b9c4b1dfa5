/**
 * Which Gather is an embedding (rows picked from a constant table that is worth quantizing), and which table is tied: the head of a language
 * model often multiplies with the very table that its embeddings are picked from, transposed.
 */
import type { Graph } from '../graph/graph.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import type { Tensor } from '../onnx/tensor.ts';

/** Fewer elements than this are picked from by shape arithmetic rather than by meaning. */
const leastTable = 1024;

/** Why the node, whose input 0 is constant, is no embedding; or undefined. */
export function noTable(node: Node): string | undefined {
  const { dims, size, name } = node.constant(0)!;
  if (dims.length !== 2) return `its table '${name}' has ${dims.length} dimensions, not 2`;
  if (node.int('axis', 0) !== 0) return 'it gathers along another axis than the first';
  return size < leastTable ? `its table '${name}' has ${size} elements only` : undefined;
}

/** The matrix that this Transpose turns, if others read it as it is. */
export function tiedTable(node: Node): Value | undefined {
  const table = turned(node);
  if (!table || table.constant!.size < leastTable) return undefined;
  return [...table.users.keys()].some((user) => !turned(user)) ? table : undefined;
}

/** The same, if rows are picked from it. */
export function tiedEmbeddings(node: Node): Value | undefined {
  const table = tiedTable(node);
  return table && [...table.users.keys()].some((user) => picksFrom(user, table)) ? table : undefined;
}

/** Whether the node picks rows from this constant, and it is a table. */
export function picksFrom(node: Node, table: Value): boolean {
  return node.is('Gather') && node.input(0) === table && table.isConstant && noTable(node) === undefined;
}

/** The constant matrix that this Transpose turns. */
function turned(node: Node): Value | undefined {
  if (!node.is('Transpose')) return undefined;
  const value = node.input(0);
  const [first = 1] = node.ints('perm') ?? [];
  return value?.constant?.dims.length === 2 && first === 1 ? value : undefined;
}

/** A constant that a node reads, itself or through a Transpose. */
export function matrixOf(node: Node, index: number): { readonly value: Value; readonly turned: boolean } | undefined {
  const value = node.input(index);
  if (value?.isConstant) return { value, turned: false };
  const table = value?.producer && turned(value.producer);
  return table && { value: table, turned: true };
}

/** Whether the matrix is the transpose of the table, element by element. Both are read only where their dimensions say that it may be. */
export function holdsTransposed(table: Tensor, matrix: Tensor): boolean {
  const [rows, cols] = table.dims as [number, number];
  if (matrix.dims.length !== 2 || matrix.dims[0] !== cols || matrix.dims[1] !== rows) return false;
  if (matrix.type.name !== table.type.name) return false;
  const [from, to] = [table.floats(), matrix.floats()];
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < cols; c++) if (from[r * cols + c] !== to[c * rows + r]) return false;
  return true;
}

/** Whether what stands in the outer graph can be read in the inner one. */
export function isSeenIn(outer: Graph, inner: Graph | undefined): boolean {
  return inner !== undefined && (inner === outer || isSeenIn(outer, inner.owner?.graph));
}
