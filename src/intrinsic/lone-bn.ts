/**
 * A BatchNormalization that no layer takes up is a Mul or an Add when it does only one of the two, which onnxruntime and
 * the quantizer handle better. One that does both would become two nodes and stays as it is.
 */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { affineOfBatchNorm, batchNormOf } from './batch-norm.ts';
import { fits, isFloatType, roundTo, setConstant } from './edit.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import type { Pass } from './pass.ts';

export const loneBn: Pass = {
  name: 'lone-bn',
  summary: 'BatchNormalization that only scales, or only shifts, becomes Mul, or Add',
  run(model, context) {
    const facts = createFacts();
    let changed = false;
    for (const node of model.allNodes()) {
      if (!node.is('BatchNormalization')) continue;
      const label = node.label;
      const reason = toElementwise(node, model, facts);
      if (reason === undefined) context.applied([label], label);
      else context.refused(label, reason);
      changed ||= reason === undefined;
    }
    return changed;
  },
};

/** Converts, or returns the reason why not, having changed nothing. */
function toElementwise(node: Node, { opset }: Model, facts: Facts): string | undefined {
  const norm = batchNormOf(node, opset);
  if (typeof norm === 'string') return norm;
  if (node.outputs.slice(1).some((value) => value !== null)) return 'it has more than one output';
  const { type, rank } = facts.of(node.input(0));
  if (type === undefined || rank === undefined) return `the type and rank of '${node.input(0)?.name}' are not known`;
  if (!isFloatType(type)) return `its element type is ${type}`;
  if (opset < 7) return `opset ${opset} has no Mul that broadcasts by itself`;
  const { gain, shift } = affineOfBatchNorm(norm);
  const scales = !gain.every((value) => value === 1);
  if (scales && !shift.every((value) => value === 0)) return 'it scales and shifts: a Mul and an Add are one node more';
  const data = roundTo(type, scales ? gain : shift);
  if (!fits(data, type)) return `its ${scales ? 'gain' : 'shift'} does not fit ${type}`;
  const dims = [gain.length, ...Array.from({ length: Math.max(rank - 2, 0) }, () => 1)];
  setConstant(node, 1, { type, dims, data }, `${node.label}_${scales ? 'gain' : 'shift'}`);
  node.truncateInputs(2);
  node.attributes.clear();
  node.outputs.length = 1;
  node.opType = scales ? 'Mul' : 'Add';
  return undefined;
}
