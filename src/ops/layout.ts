/** Operators that only move, repeat or select values: their output has the codes, scale and zero point of their input. */
import type { Node } from '../graph/node.ts';
import { follow, type Operand, type OpSpec } from './op.ts';
import { noTable } from './table.ts';

export const layout: OpSpec = {
  types: ['Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Split', 'Expand'],
  quantize: () => follow({ kind: 'share', input: 0 }, [0]),
};

const table: Operand = { index: 0, role: 'weight', axis: 1, layout: 'table' };

/** Picks values of an activation, or rows of a constant table: embeddings, the larger part of many language models. */
export const gather: OpSpec = {
  types: ['Gather'],
  quantize(node: Node) {
    if (!node.constant(0)) return follow({ kind: 'share', input: 0 }, [0]);
    const reason = noTable(node);
    return reason ?? { kind: 'anchor', operands: [table], output: { kind: 'observe' }, floatOutput: true };
  },
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
