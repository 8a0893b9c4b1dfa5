/** GRU and RNN have no integer kernel: opened up, their products have. */
import { cannotOpen } from '../../ops/recurrent.ts';
import { openRecurrent } from '../../quantizable/recurrent.ts';
import type { NodeRule } from '../node-rules.ts';
import type { DynamicSettings } from './chain.ts';
import { matmul } from './matmul.ts';

/**
 * Hidden units from which the opened form is faster. Measured over 1 and 50 steps on AVX512-VNNI: 128 units 0.4 - 0.8 times as
 * fast, 512 units 1.0 - 2.1 times (GRU) and more (RNN).
 */
const worthwhile = 256;

export const recurrent: NodeRule<DynamicSettings> = {
  types: ['GRU', 'RNN'],
  weights: [1, 2],
  optional(node) {
    const hidden = node.constant(2)!.dims[2]!;
    return hidden < worthwhile
      ? `with ${hidden} units its steps are bound by overhead, and opened up it would be slower (--include asks for it)`
      : undefined;
  },
  refuse: cannotOpen,
  emit(node, writer) {
    for (const product of openRecurrent(node)) matmul.emit(product, writer);
  },
};
