/** Cross-entropy of the softmax with target probabilities, which hold the label smoothing: −Σ t·log p, mean over the batch. */
import { hasClasses, type Loss } from './loss.ts';

export const ce: Loss = {
  id: 'ce',
  summary: 'cross-entropy with the labels',
  needs: 'labels',
  compares: 'outputs',
  takes: hasClasses,
  build(emit, { output, wanted }, { batch }) {
    const terms = emit.op('Mul', [wanted, emit.op('LogSoftmax', [output], { axis: 1 })]);
    return emit.op('Mul', [emit.op('ReduceSum', [terms], { keepdims: 0 }), emit.scalar(-1 / batch)]);
  },
};
