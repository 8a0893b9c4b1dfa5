/** Holds every sample against the model's inputs before anything runs, so that an error names the sample, not a kernel. */
import { elementCount, type TensorValue, type TypedArray } from '../onnx/data-types.ts';
import { dataErrors } from '../errors/data.ts';
import type { InputInfo, Sample } from './sample.ts';

/** Returns the sample when it has exactly the inputs, each of the right type and shape and finite. */
export function checkSample(sample: Sample, inputs: readonly InputInfo[]): Sample {
  for (const input of inputs) {
    const tensor = Object.hasOwn(sample.inputs, input.name) ? sample.inputs[input.name] : undefined;
    if (tensor === undefined) throw dataErrors.inputMissing(sample.id, input.name, Object.keys(sample.inputs));
    checkTensor(tensor, input, sample.id);
  }
  checkNames(Object.keys(sample.inputs), inputs, sample.id);
  if (sample.label !== undefined && !Number.isSafeInteger(sample.label))
    throw dataErrors.badLabel(sample.id, sample.label);
  return sample;
}

/** Refuses a name that no input has. */
export function checkNames(names: Iterable<string>, inputs: readonly InputInfo[], where: string): void {
  const known = inputs.map((input) => input.name);
  for (const name of names) {
    if (!known.includes(name)) throw dataErrors.inputUnknown(where, name, known);
  }
}

/** Whether `dims` fits the input; axis 0 may be 1 where the model fixes a larger batch, which batching then fills. */
export function fits(dims: readonly number[], input: InputInfo): boolean {
  return (
    dims.length === input.dims.length &&
    dims.every((dim, axis) => {
      const expected = input.dims[axis];
      return typeof expected !== 'number' || dim === expected || (axis === 0 && dim === 1);
    })
  );
}

function checkTensor(tensor: TensorValue, input: InputInfo, id: string): void {
  if (tensor.type !== input.type) throw dataErrors.wrongType(id, input, tensor.type);
  if (!fits(tensor.dims, input)) throw dataErrors.wrongShape(id, input, tensor.dims);
  if (tensor.data.length !== elementCount(tensor.dims))
    throw dataErrors.wrongLength(id, input, tensor.dims, tensor.data.length);
  const at = firstNotFinite(tensor);
  if (at >= 0) throw dataErrors.notFinite(id, input.name, at);
}

/** The index of the first NaN or infinity, or -1. */
function firstNotFinite({ type, data }: TensorValue): number {
  if (type === 'float32' || type === 'float64') {
    const values = data as Float32Array | Float64Array;
    for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  }
  const exponent = type === 'float16' ? 0x7c00 : type === 'bfloat16' ? 0x7f80 : 0;
  if (exponent !== 0) {
    const words = data as Exclude<TypedArray, BigInt64Array | BigUint64Array>;
    for (let i = 0; i < words.length; i++) if ((words[i]! & exponent) === exponent) return i;
  }
  return -1;
}
