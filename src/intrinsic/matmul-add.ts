/** MatMul with a constant matrix, then Add of a constant bias: one Gemm, when the input is a matrix too. */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { absorb, isFloatType } from './edit.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import type { Pass } from './pass.ts';

export const matmulAdd: Pass = {
  name: 'matmul-add',
  summary: 'MatMul with a constant weight and Add of a constant bias become Gemm',
  run(model, context) {
    const facts = createFacts();
    let changed = false;
    for (const node of model.allNodes()) {
      if (!node.is('MatMul') || node.constant(1)?.dims.length !== 2) continue;
      const add = node.output()?.soleUser;
      if (!add?.is('Add')) continue;
      const bias = add.inputs.find((value) => value !== node.output());
      if (!bias) continue;
      const labels = [node.label, add.label];
      const reason = refusal(node, add, bias, facts, model.opset);
      if (reason !== undefined) {
        context.refused(node.label, reason);
        continue;
      }
      node.opType = 'Gemm';
      node.setInput(2, bias);
      absorb(node, add);
      context.applied(labels, node.label);
      changed = true;
    }
    return changed;
  },
};

/** Why this pair is not a Gemm. */
function refusal(matmul: Node, add: Node, bias: Value, facts: Facts, opset: number): string | undefined {
  const x = matmul.input(0);
  const { type, dims } = matmul.constant(1)!;
  const { rank } = facts.of(x);
  if (rank === undefined) return `the rank of '${x?.name}' is not known`;
  if (rank !== 2) return `the rank of '${x?.name}' is ${rank}, not 2`;
  if (opset < 7) return `opset ${opset} has no Gemm whose bias is broadcast`;
  if (!isFloatType(type.name)) return `its weight is ${type.name}`;
  if (add.graph !== matmul.graph) return `'${add.label}' stands in another graph`;
  if (!bias.constant) return `'${bias.name}', which is added, is not constant`;
  const shape = bias.constant.dims;
  if (!bias.constant.floats().every(Number.isFinite))
    return `'${bias.name}', which is added, holds infinity on purpose`;
  const fits = shape.at(-1) === dims[1] && (shape.length === 1 || (shape.length === 2 && shape[0] === 1));
  return fits ? undefined : `'${bias.name}', which is added, has shape [${shape.join(', ')}], not [${dims[1]}]`;
}
