/** BatchNormalization and GroupNormalization. */
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import { dataType } from '../../onnx/data-types.ts';
import { type Adapter, int64Constant } from '../adapter.ts';

/** Statistics per position (`spatial` = 0) vanished. */
export const batchNormalization9: Adapter = {
  ops: ['BatchNormalization'],
  version: 9,
  adapt(node, context) {
    if (node.int('spatial', 1) === 0) throw context.cannot('it has statistics of their own per position (spatial = 0)');
    return node.attributes.delete('spatial');
  },
};

/** Training is said by an attribute since; before, outputs for statistics said it. */
export const batchNormalization14: Adapter = {
  ops: ['BatchNormalization'],
  version: 14,
  adapt(node, context) {
    if (node.outputs.slice(1).some((output) => output !== null)) {
      throw context.cannot('it is in training mode (it has outputs for statistics): export the model for inference');
    }
    return false;
  },
};

/**
 * GroupNormalization: scale and bias had one element per group and have one per channel. Each is repeated for the channels of
 * its group; their number is read from the data's shape at run time unless it is declared.
 */
export const groupNormalization21: Adapter = {
  ops: ['GroupNormalization'],
  version: 21,
  adapt(node, context) {
    const groups = node.int('num_groups');
    if (!groups) throw context.cannot('it has no num_groups');
    const perGroup = int64Constant(node, 'per_group', [groups, 1]);
    const perChannel = int64Constant(node, 'per_channel', [-1]);
    const repeats = repeatsOf(node, groups);
    node.setInput(1, repeat(node, 'scale', node.input(1)!, [perGroup, repeats, perChannel]));
    node.setInput(2, repeat(node, 'bias', node.input(2)!, [perGroup, repeats, perChannel]));
    // Until now the statistics had the precision of the data; the new default is float32.
    const { type } = context;
    if (type && type !== 'float32') node.setInt('stash_type', dataType(type).code);
    return true;
  },
};

/** [1, channels per group], as a tensor. */
function repeatsOf(node: Node, groups: number): Value {
  const channels = node.input(0)!.dims?.[1];
  if (typeof channels === 'number') return int64Constant(node, 'repeats', [1, channels / groups]);
  const shape = before(node, 'Shape', 'channels', [node.input(0)!]);
  shape.setInt('start', 1);
  shape.setInt('end', 2);
  const count = before(node, 'Div', 'group_size', [shape.output()!, int64Constant(node, 'groups', [groups])]);
  const repeats = before(node, 'Concat', 'repeats', [int64Constant(node, 'once', [1]), count.output()!]);
  repeats.setInt('axis', 0);
  return repeats.output()!;
}

function repeat(node: Node, role: string, value: Value, [column, repeats, row]: [Value, Value, Value]): Value {
  const tall = before(node, 'Reshape', `${role}_column`, [value, column]).output()!;
  const wide = before(node, 'Expand', `${role}_expanded`, [tall, repeats]).output()!;
  return before(node, 'Reshape', `${role}_channels`, [wide, row]).output()!;
}

function before(node: Node, opType: string, role: string, inputs: readonly Value[]): Node {
  const graph = node.graph!;
  const made = graph.makeNode(opType, inputs, { outputs: [`${node.output()!.name}_${role}`] });
  return graph.insertBefore(made, node);
}
