/**
 * Nodes that hand their input on unchanged: Identity, Dropout outside training, Cast to the type a value has already.
 */
import type { Node } from '../graph/node.ts';
import { bypass } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { dataTypeOfCode } from '../onnx/data-types.ts';
import { factsOf, type Facts } from './facts.ts';
import type { Pass } from './pass.ts';

export const identity: Pass = {
  name: 'identity',
  summary: 'Identity, inference-mode Dropout and Cast to the same type are removed',
  run(model, context) {
    const facts = factsOf(model);
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
      const declared = output.info;
      if (!bypass(node, input)) {
        context.refused(label, `'${output.name}' is a graph output and ${standing(input, output)}`);
        continue;
      }
      // The declaration is true of the input as well, and shapes are worth keeping.
      if (declared && !input.info && input.producer) input.info = { ...declared, name: input.name };
      context.applied([label]);
      changed = true;
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

/** Why the input cannot take the name of the output. */
function standing(input: Value, output: Value): string {
  if (input.graph !== output.graph) return `its input '${input.name}' stands in another graph`;
  if (input.isInput) return `its input '${input.name}' is a graph input`;
  if (input.isOutput) return `its input '${input.name}' is a graph output too`;
  return `its input '${input.name}' is a constant`;
}
