/**
 * The inputs of a model: what samples have to bring for them, along which axis they lie side by side, and whether a sample fits. Every
 * sample is checked before anything runs, so that an error names the sample, not a kernel.
 */
import { elementCount, type TensorValue, type TypedArray } from '../onnx/data-types.ts';
import { dataErrors } from '../errors/data.ts';
import type { Model } from '../graph/model.ts';
import { batchAxis } from '../ops/batch-axis.ts';
import type { InputInfo, Sample } from './sample.ts';

/** The inputs that must be fed, in their order. */
export function inputsOf(model: Model): InputInfo[] {
  return model.feeds.map((value) => {
    const axis = batchAxis(value);
    return {
      name: value.name,
      // onnxruntime-node has no bfloat16: such a model is run in its widened form.
      type: value.type === 'bfloat16' ? 'float32' : (value.type ?? 'float32'),
      dims: value.dims ?? [],
      ...(axis !== undefined && axis > 0 && { batchAxis: axis }),
    };
  });
}

/** The batch axes that are not the first one, by input. */
export function batchAxesOf(inputs: readonly InputInfo[]): ReadonlyMap<string, number> {
  return new Map(inputs.flatMap(({ name, batchAxis: axis }) => (axis === undefined ? [] : [[name, axis] as const])));
}

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

/** Whether `dims` fits the input; the batch axis may be 1 where the model fixes a larger batch, which is then filled up. */
export function fits(dims: readonly number[], input: InputInfo): boolean {
  return (
    dims.length === input.dims.length &&
    dims.every((dim, axis) => {
      const expected = input.dims[axis];
      return typeof expected !== 'number' || dim === expected || (axis === batchAxisOf(input) && dim === 1);
    })
  );
}

/** The axis along which samples lie side by side. */
export function batchAxisOf({ batchAxis = 0 }: InputInfo): number {
  return batchAxis;
}

/** The input as one sample fills it: a fixed batch of several is 1. */
export function forOne(input: InputInfo): InputInfo {
  const batch = batchAxisOf(input);
  const dims = input.dims.map((dim, axis) => (axis === batch && typeof dim === 'number' && dim > 1 ? 1 : dim));
  return { ...input, dims };
}

/** The dimensions of a sample that came without its batch axis. */
export function withBatchAxis(dims: readonly number[], input: InputInfo): number[] {
  return [...dims.slice(0, batchAxisOf(input)), 1, ...dims.slice(batchAxisOf(input))];
}

/**
 * The dimensions of `length` elements that came without any: the input's, of all its batch or of one sample. An open batch is 1,
 * where `openIsOne`; one other open dimension follows from the length.
 * @returns undefined when the length does not tell; where it does not fit, what the input takes
 */
export function flatDims(input: InputInfo, length: number, openIsOne = true): number[] | undefined {
  const batch = batchAxisOf(input);
  const solve = ({ dims: asked }: InputInfo): number[] | undefined => {
    const dims = asked.map((dim, axis) => (typeof dim === 'number' ? dim : axis === batch && openIsOne ? 1 : null));
    const open = dims.filter((dim) => dim === null).length;
    const known = elementCount(dims.filter((dim) => dim !== null));
    if (open > 1 || (open === 1 && (known === 0 || length % known !== 0))) return undefined;
    return dims.map((dim) => dim ?? length / known);
  };
  const [all, one] = [solve(input), solve(forOne(input))];
  return one && elementCount(one) === length ? one : all;
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
