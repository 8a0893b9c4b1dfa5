/** Joins of two activations (or one and a constant): both sides and the result are quantized. */
import { follow, island, type OpSpec } from './op.ts';

export const elementwise: OpSpec = {
  types: ['Add', 'Mul'],
  quantize: (node) => ({ ...follow({ kind: 'observe' }, [0, 1]), ...(node.is('Add') && { sum: true }) }),
};

/** onnxruntime has no int8 kernel for them. */
export const difference: OpSpec = {
  types: ['Sub', 'Div'],
  quantize: (node) => island(node, { kind: 'observe' }, [0, 1]),
};

/** A choice between two activations, each with its own scale. */
export const where: OpSpec = {
  types: ['Where'],
  quantize: () => follow({ kind: 'observe' }, [1, 2]),
};
