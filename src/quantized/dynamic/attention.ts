/** com.microsoft Attention → QAttention: the product with the weights of Q, K and V in int8, attention itself in float. */
import { replaceNode } from '../../graph/rewrite.ts';
import type { NodeRule } from '../node-rules.ts';
import { placeWeight, quantizeDynamically, type DynamicSettings } from './chain.ts';

/** Attributes that QAttention has too. */
const shared = ['num_heads', 'unidirectional', 'mask_filter_value', 'do_rotary', 'past_present_share_buffer'];

export const attention: NodeRule<DynamicSettings> = {
  types: ['Attention'],
  domain: 'com.microsoft',
  weights: [1],
  refuse(node) {
    if (!node.input(2)) return 'QAttention needs a bias';
    if (node.input(5)) return 'QAttention has no attention bias';
    if (node.input(6)) return 'QAttention has no buffer shared by past and present';
    const other = [...node.attributes.keys()].find((name) => !shared.includes(name));
    return other === undefined ? undefined : `QAttention has no attribute '${other}'`;
  },
  emit(node, writer) {
    const placed = placeWeight(node.input(1)!, '', { axis: 1, layout: 'columns' }, writer);
    const activation = quantizeDynamically(node.input(0)!, node);
    const inputs = [activation.codes, placed.codes, node.input(2)!, activation.scale, placed.scale];
    const rest = [node.input(3) ?? null, activation.zeroPoint, placed.zeroPoint, node.input(4) ?? null];
    while (rest[rest.length - 1] === null) rest.pop();
    const replacement = node.graph!.makeNode('QAttention', [...inputs, ...rest], {
      name: node.name,
      domain: 'com.microsoft',
      outputs: [],
    });
    for (const [name, attribute] of node.attributes) replacement.attributes.set(name, attribute);
    replaceNode(node, replacement);
  },
};
