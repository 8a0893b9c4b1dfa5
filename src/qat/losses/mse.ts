/**
 * Squared error against the teacher's output, in parts of the square of that output: Σ (y − t)² / Σ t² of each sample, mean over the
 * batch. Outputs of any scale weigh alike, and −10·log10 of it is the SQNR.
 */
import { axesBut, type Emitter } from '../../graph/emitter.ts';
import type { Value } from '../../graph/value.ts';
import { elementCount } from '../../onnx/data-types.ts';
import type { Compared, Loss, LossContext } from './loss.ts';

/** Of the mean square: what keeps an output that is zero for a whole sample from dividing by zero. */
const tiny = 1e-12;

export const mse: Loss = {
  id: 'mse',
  summary: "squared error against the float teacher's outputs, relative to their size",
  needs: 'teacher',
  compares: 'outputs',
  takes: () => true,
  build: relativeError,
};

/** One number: the mean over the samples. */
export function relativeError(emit: Emitter, { output, dims, wanted }: Compared, { batch }: LossContext): Value {
  const perSample = dims.length > 0 && dims[0]! % batch === 0;
  const rows = perSample ? batch : 1;
  const flat = [rows, elementCount([...dims]) / rows];
  const axes = axesBut(2, 0);
  const error = emit.reshape(emit.op('Sub', [output, wanted]), flat);
  const reference = emit.reshape(wanted, flat);
  const sum = emit.sum(emit.op('Mul', [error, error]), axes, false);
  const power = emit.sum(emit.op('Mul', [reference, reference]), axes, false);
  const relative = emit.op('Div', [sum, emit.op('Add', [power, emit.scalar(tiny * flat[1]!)])]);
  return emit.op('Mul', [emit.op('ReduceSum', [relative], { keepdims: 0 }), emit.scalar(1 / rows)]);
}
