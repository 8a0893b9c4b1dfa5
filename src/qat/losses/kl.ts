/**
 * Distillation (Hinton et al. 2015): the Kullback-Leibler divergence of the model's softmax from the teacher's, both at
 * temperature T, times T², so that gradients keep their size: T²·Σ p·(log p − log q), mean over the batch.
 */
import type { Value } from '../../graph/value.ts';
import { hasClasses, type Loss } from './loss.ts';

export const kl: Loss = {
  id: 'kl',
  summary: "divergence from the float teacher's class probabilities",
  needs: 'teacher',
  compares: 'outputs',
  takes: hasClasses,
  build(emit, { output, wanted }, { batch, temperature }) {
    const cooled = (value: Value): Value =>
      temperature === 1 ? value : emit.op('Mul', [value, emit.scalar(1 / temperature)]);
    const teacher = cooled(wanted);
    const logs = emit.op('LogSoftmax', [teacher], { axis: 1 });
    const difference = emit.op('Sub', [logs, emit.op('LogSoftmax', [cooled(output)], { axis: 1 })]);
    const terms = emit.op('Mul', [emit.op('Softmax', [teacher], { axis: 1 }), difference]);
    return emit.op('Mul', [emit.op('ReduceSum', [terms], { keepdims: 0 }), emit.scalar(temperature ** 2 / batch)]);
  },
};
