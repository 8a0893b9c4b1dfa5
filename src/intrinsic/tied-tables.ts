/**
 * A head that multiplies with the table of its embeddings has, after an exporter folded constants, a transposed copy of it: it becomes
 * a Transpose again, so that nothing is folded into one of the two and both can be stored as one (FuseSettings.keepTied).
 */
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { holdsTransposed, isSeenIn, picksFrom } from '../ops/embedding.ts';
import { makeConstant } from './edit.ts';
import type { Pass } from './pass.ts';

export const tiedTables: Pass = {
  name: 'tied-tables',
  summary: 'a weight that is the transpose of a table of embeddings is read from that table',
  run(model, context) {
    const tables = tablesOf(model);
    if (tables.length === 0) return false;
    let changed = false;
    for (const graph of model.graph.graphs()) {
      for (const matrix of [...graph.values.values()]) {
        if (!isWeight(matrix)) continue;
        const table = tables.find(
          (each) => isSeenIn(each.graph, graph) && holdsTransposed(each.constant!, matrix.constant!),
        );
        if (!table) continue;
        const { label } = turn(table, matrix, graph);
        context.applied([label], label);
        changed = true;
      }
    }
    return changed;
  },
};

function tablesOf(model: Model): Value[] {
  const read = [...model.allNodes()].flatMap((node) => {
    const table = node.input(0);
    return table && picksFrom(node, table) ? [table] : [];
  });
  return [...new Set(read)];
}

/** A constant that products read on their right, and nothing else. */
function isWeight(value: Value): boolean {
  const readers = [...value.users.keys()];
  const isRight = (node: Node): boolean => node.is('MatMul') && node.input(1) === value && node.input(0) !== value;
  return value.isConstant && !value.isOutput && readers.length > 0 && readers.every(isRight);
}

/** What the constants were that stand behind these Transposes. */
const copies = new WeakMap<Node, Tensor>();

/** Gives the matrix behind this Transpose back what it was, if this pass made it. */
export function restoreCopy(transpose: Node): boolean {
  const copy = copies.get(transpose);
  if (copy) makeConstant(transpose.output()!, copy);
  return copy !== undefined;
}

function turn(table: Value, matrix: Value, graph: Graph): Node {
  const transpose = graph.makeNode('Transpose', [table], { name: `${matrix.name}_Transpose`, outputs: [] });
  transpose.setInts('perm', [1n, 0n]);
  copies.set(transpose, matrix.initializer!);
  matrix.initializer = undefined;
  transpose.setOutput(0, matrix);
  return graph.prepend(transpose);
}
