/** Operators that only move, repeat or select values: their output has the codes, scale and zero point of their input. */
import type { Node } from '../graph/node.ts';
import { follow, type OpSpec } from './op.ts';

export const layout: OpSpec = {
  types: ['Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Split', 'Expand', 'Gather'],
  quantize: () => follow({ kind: 'share', input: 0 }, [0]),
};

/** Zero is exactly representable in every scheme; any other fill value may not be. */
export const pad: OpSpec = {
  types: ['Pad'],
  quantize(node: Node) {
    if (node.string('mode', 'constant') === 'constant') {
      const fill = node.input(2) ? node.constant(2)?.floats()[0] : node.float('value', 0);
      if (fill !== 0) return 'it pads with a value other than a constant 0';
    }
    return follow({ kind: 'share', input: 0 }, [0]);
  },
  moveCodes: { since: 13, apply: (node, zero) => node.setInput(2, zero) },
};

/** Nearest picks values and linear stays between them; cubic overshoots its input range. */
export const resize: OpSpec = {
  types: ['Resize', 'Upsample'],
  quantize(node: Node) {
    const mode = node.string('mode', 'nearest');
    return follow(mode === 'cubic' ? { kind: 'observe' } : { kind: 'share', input: 0 }, [0]);
  },
};
