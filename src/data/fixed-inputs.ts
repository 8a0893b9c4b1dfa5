/**
 * Inputs that no sample brings: constants (`--input sr=16000`) and the state of a stateful model (`--carry stateN=state`). Both become part
 * of every sample, the state as zeros, so that any sample can be run by itself; in a sequence, the outputs of a run become the state of the
 * next, for each session its own.
 */
import { dataErrors } from '../errors/data.ts';
import { type TensorValue, elementCount } from '../onnx/data-types.ts';
import type { Batch, Carry, Dataset, InputInfo } from './sample.ts';
import { convert, convertible } from './convert.ts';

interface FixedInputs {
  /** By input name. */
  readonly tensors: Readonly<Record<string, TensorValue>>;
  readonly carry: readonly Carry[];
  /** What is left for the samples to bring. */
  readonly rest: readonly InputInfo[];
  /** The constants as they were given, for reports. */
  readonly words: readonly string[];
}

/**
 * Reads `--input` and `--carry`.
 * @param constants `INPUT=NUMBER` each; every element gets the value, open dimensions are 1
 * @param carried `OUTPUT=INPUT` each
 * @throws DATA_INPUT_VALUE, DATA_CARRY
 */
export function fixInputs(
  constants: readonly string[],
  carried: readonly string[],
  inputs: readonly InputInfo[],
): FixedInputs {
  const tensors: Record<string, TensorValue> = {};
  const known = inputs.map(({ name }) => name);
  const inputOf = (name: string, words: string): InputInfo => {
    const input = inputs.find((candidate) => candidate.name === name);
    if (!input) throw dataErrors.fixedUnknown(words, name, known);
    if (Object.hasOwn(tensors, name)) throw dataErrors.fixedTwice(name);
    return input;
  };
  for (const words of constants) {
    const [name, value] = split(words) ?? [];
    if (name === undefined || value === undefined || Number.isNaN(Number(value))) throw dataErrors.constantForm(words);
    tensors[name] = filled(inputOf(name, `--input ${words}`), Number(value));
  }
  const carry = carried.map((words): Carry => {
    const [output, input] = split(words) ?? [];
    if (output === undefined || input === undefined) throw dataErrors.carryForm(words);
    tensors[input] = filled(inputOf(input, `--carry ${words}`), 0);
    return { output, input };
  });
  const rest = inputs.filter(({ name }) => !Object.hasOwn(tensors, name));
  if (rest.length === 0 && inputs.length > 0) throw dataErrors.fixedAll();
  return { tensors, carry, rest, words: constants };
}

/** The dataset of `rest` with the fixed inputs in every sample. */
export function withFixed(dataset: Dataset, { tensors, carry, words }: FixedInputs): Dataset {
  if (Object.keys(tensors).length === 0) return dataset;
  // The mark of an assumed preprocessing stays at the end.
  const preprocess = [...words, dataset.preprocess].filter((part) => part !== undefined).join('; ');
  return {
    ...dataset,
    constants: Object.keys(tensors),
    preprocess: preprocess === '' ? undefined : preprocess,
    ...(carry.length > 0 && { carry }),
    async *samples(selection, onBad) {
      for await (const sample of dataset.samples(selection, onBad))
        yield { ...sample, inputs: { ...sample.inputs, ...tensors } };
    },
  };
}

/** Splits at the last sign, so that names may hold one. */
function split(words: string): [string, string] | undefined {
  const at = words.lastIndexOf('=');
  return at <= 0 || at === words.length - 1 ? undefined : [words.slice(0, at), words.slice(at + 1)];
}

function filled(input: InputInfo, value: number): TensorValue {
  const { name, type } = input;
  if (!convertible('int64', type)) throw dataErrors.unsupportedType(`input '${name}'`, input);
  const dims = input.dims.map((dim) => (typeof dim === 'number' ? dim : 1));
  try {
    if (!type.startsWith('float') && !Number.isSafeInteger(value)) throw new RangeError(`${value} is no integer`);
    return { type, dims, data: convert(new Float64Array(elementCount(dims)).fill(value), 'float64', type) };
  } catch (cause) {
    throw dataErrors.outOfRange('--input', input, cause);
  }
}

type Tensors = Readonly<Record<string, TensorValue>>;

/** Carries the state of one session from run to run. */
interface Carrier {
  /** Outputs that every run must return. */
  readonly outputs: readonly string[];
  /** The inputs of a batch of one sample: with the state of the run before, unless the sample begins a sequence. */
  feeds(batch: Batch): Tensors;
  /** Takes the state out of the outputs of the run. */
  keep(outputs: Tensors): void;
}

/** A carrier before the first run. @throws DATA_CARRY (keep) when an output does not fit the input */
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
