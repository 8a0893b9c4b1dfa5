/** The state of a stateful model on its way from one run to the next, for each session its own. */
import { dataErrors } from '../errors/data.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Batch, Carry } from './sample.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

export interface Carrier {
  /** Outputs that every run must return. */
  readonly outputs: readonly string[];
  /** The inputs of a batch of one sample: with the state of the run before, unless the sample begins a sequence. */
  feeds(batch: Batch): Tensors;
  /** Takes the state out of the outputs of the run. */
  keep(outputs: Tensors): void;
}

/** @throws DATA_CARRY (keep) when an output does not fit the input */
export function carrier(carry: readonly Carry[] = []): Carrier {
  let state: Tensors = {};
  let initial: Tensors = {};
  let sequence: string | undefined;
  return {
    outputs: carry.map(({ output }) => output),
    feeds(batch) {
      if (batch.sequence !== sequence) state = {};
      sequence = batch.sequence;
      initial = batch.inputs;
      return { ...batch.inputs, ...state };
    },
    keep(outputs) {
      state = Object.fromEntries(
        carry.map(({ output, input }) => {
          const [from, to] = [outputs[output]!, initial[input]!];
          const same = from.type === to.type && from.dims.length === to.dims.length;
          if (!same || from.dims.some((dim, axis) => dim !== to.dims[axis]))
            throw dataErrors.carryShape(output, from, { name: input, ...to });
          return [input, from];
        }),
      );
    },
  };
}

/** Refuses an output that the model does not have. */
export function checkCarry(carry: readonly Carry[], outputs: readonly string[]): void {
  for (const { output, input } of carry) {
    if (!outputs.includes(output)) throw dataErrors.carryUnknown(output, input, outputs);
  }
}
