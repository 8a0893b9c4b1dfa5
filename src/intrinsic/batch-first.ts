/**
 * LSTM, GRU and RNN whose tensors have the batch first (layout = 1) become those that have the steps first, between Transposes: the
 * same numbers. onnxruntime has no kernels for the other, and whatever reads recurrent operators need know only one.
 */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { recurrentCells } from '../ops/recurrent.ts';
import type { Pass } from './pass.ts';

export const batchFirst: Pass = {
  name: 'batch-first',
  summary: 'LSTM, GRU and RNN of layout 1 become layout 0 between Transposes',
  run(model, { applied }) {
    const turned = turnBatchFirst(model);
    for (const label of turned) applied([label], label);
    return turned.length > 0;
  },
};

/** @returns the labels of the nodes that were turned */
export function turnBatchFirst(model: Model): string[] {
  const turned: string[] = [];
  for (const node of model.allNodes()) {
    if (node.domain !== '' || !recurrentCells.has(node.opType) || node.int('layout', 0) === 0) continue;
    turn(node);
    turned.push(node.label);
  }
  return turned;
}

/** The sequence and each initial state; the result of all steps has the axis of directions between batch and units. */
const swapped = [1, 0, 2];
const stepsLast = [2, 0, 1, 3];

function turn(node: Node): void {
  const graph = node.graph!;
  node.attributes.delete('layout');
  for (const index of [0, ...recurrentCells.get(node.opType)!.states]) {
    const value = node.input(index);
    if (!value) continue;
    const before = graph.makeNode('Transpose', [value], { outputs: [`${value.name}_steps_first`] });
    before.name = before.output()!.name;
    before.setInts('perm', swapped);
    node.setInput(index, graph.insertBefore(before, node).output()!);
  }
  node.outputs.forEach((value, index) => {
    if (!value) return;
    const inner = graph.addValue(`${value.name}_steps_first`);
    node.setOutput(index, inner);
    const after = graph.makeNode('Transpose', [inner], { outputs: [] });
    after.name = graph.names.unique(`${value.name}_batch_first`);
    after.setInts('perm', index === 0 ? stepsLast : swapped);
    after.setOutput(0, value);
    graph.insertAfter(after, node);
  });
}
