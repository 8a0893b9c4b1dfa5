/**
 * A MatMul whose result is flattened for a BatchNormalization over its channels (Linear and BatchNorm1d of tokens, as in
 * LeViT): flattened before instead, it multiplies matrices, takes the BatchNormalization up and becomes a Gemm.
 */
import type { Node } from '../graph/node.ts';
import { createFacts } from '../graph/facts.ts';
import { batchNormOf } from './batch-norm.ts';
import { neededElsewhere } from './edit.ts';
import type { Pass } from './pass.ts';

export const flatMatmul: Pass = {
  name: 'flat-matmul',
  summary: 'what flattens the result of a MatMul for a BatchNormalization flattens its input instead',
  run(model, context) {
    const facts = createFacts();
    let changed = false;
    for (const norm of model.allNodes()) {
      const flat = norm.is('BatchNormalization') ? norm.input(0)?.producer : undefined;
      const matmul = flat?.is('Flatten', 'Reshape') ? flat.input(0)?.producer : undefined;
      if (!flat || !matmul?.is('MatMul') || matmul.constant(1)?.dims.length !== 2) continue;
      if (typeof batchNormOf(norm, model.opset) === 'string') continue;
      const labels = [matmul.label, flat.label];
      const { rank } = facts.of(matmul.input(0));
      const reason =
        neededElsewhere(matmul, flat) ??
        neededElsewhere(flat, norm) ??
        joinsMore(flat, rank, matmul.constant(1)!.dims[1]!);
      if (reason === undefined) {
        flattenBefore(matmul, flat, rank!);
        context.applied(labels, labels[0]);
        changed = true;
      } else context.refused(labels[0]!, reason);
    }
    return changed;
  },
};

/** Why `flat` does something else than to join all axes but that of the columns, into rows; undefined when it does that. */
function joinsMore(flat: Node, rank: number | undefined, columns: number): string | undefined {
  if (rank === undefined) return 'the rank of its input is not known';
  if (flat.is('Flatten')) {
    const axis = flat.int('axis', 1);
    return axis === rank - 1 || axis === -1 ? undefined : `'${flat.label}' flattens ${rank} axes at axis ${axis}`;
  }
  const shape = flat.constant(1)?.ints();
  if (!shape) return `the shape that '${flat.label}' makes is not constant`;
  // A 0 would copy an axis of what is reshaped.
  const rows = shape.length === 2 && shape[0] !== 0 && shape[1] === columns;
  return rows ? undefined : `'${flat.label}' makes [${shape.join(', ')}], not rows of ${columns}`;
}

/** The result of `flat` keeps its name: it is the product from now on. */
function flattenBefore(matmul: Node, flat: Node, rank: number): void {
  const graph = matmul.graph!;
  const [x, product, rows] = [matmul.input(0)!, matmul.output()!, flat.output()!];
  const before = graph.makeNode('Flatten', [x], { name: flat.name, outputs: [`${x.name}_rows`] });
  before.setInt('axis', rank - 1);
  flat.setOutput(0, null);
  graph.remove(flat);
  graph.insertBefore(before, matmul);
  matmul.setInput(0, before.output()!);
  matmul.setOutput(0, rows);
  graph.removeValue(product);
}
