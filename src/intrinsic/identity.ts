/**
 * Nodes that hand their input on unchanged: Identity, Dropout outside training, Cast to the type a value has already.
 */
import type { Node } from '../graph/node.ts';
import { dataTypeOfCode } from '../onnx/data-types.ts';
import { removeCopy } from './edit.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
import type { Pass } from './pass.ts';

export const identity: Pass = {
  name: 'identity',
  summary: 'Identity, inference-mode Dropout and Cast to the same type are removed',
  run(model, context) {
    const facts = createFacts();
    let changed = false;
    for (const node of model.allNodes()) {
      const input = node.input(0);
      const output = node.output();
      if (!input || !output) continue;
      const verdict = node.is('Dropout') ? dropout(node, model.opset) : isCopy(node, facts);
      if (verdict === false) continue;
      const label = node.label;
      if (verdict !== true) {
        context.refused(label, verdict);
        continue;
      }
      if (removeCopy(node, input, context)) changed = true;
    }
    return changed;
  },
};

function isCopy(node: Node, facts: Facts): boolean {
  if (node.is('Identity')) return true;
  if (!node.is('Cast')) return false;
  const to = dataTypeOfCode(node.int('to', 0))?.name;
  return to !== undefined && facts.of(node.input(0)).type === to;
}

/**
 * True when this Dropout does nothing, else the reason to leave it. Opset 1 and 6 tell by `is_test`, 7 to 11 always
 * infer, since 12 there is an optional input training_mode.
 */
function dropout(node: Node, opset: number): true | string {
  const mask = node.output(1);
  if (mask && mask.useCount > 0) return `its mask '${mask.name}' is read`;
  if (opset < 7) return node.int('is_test', 0) !== 0 || 'it runs in training mode (is_test = 0)';
  const mode = node.input(2);
  if (opset < 12 || !mode) return true;
  if (!mode.constant) return `'${mode.name}' decides at run time whether it trains`;
  return mode.constant.data()[0] === 0 || 'it runs in training mode';
}
