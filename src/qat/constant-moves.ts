/**
 * Constants whose shape is changed behind their quantizer, as PyTorch writes the weight of a Linear (Transpose) and tf2onnx that of a
 * convolution (HWIO, Transpose, Reshape): the codes are moved instead, so that the layer reads a DequantizeLinear, as integer kernels
 * want it.
 */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { elementCount } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { dequantizeIn } from '../quantized/dequantize.ts';
import { codes, codesTensor, type Codes } from '../quantized/quant-params.ts';
import { findConstantQuants, type ConstantQuant } from './constant-quant.ts';

/** Moves every constant that can be moved. Two in a row are moved one after the other. */
export function moveConstants(model: Model): void {
  for (let moved = true; moved;) {
    moved = false;
    for (const constant of findConstantQuants(model)) {
      for (const node of constant.dequantize) {
        for (const mover of [...node.output()!.users.keys()]) moved = moveBefore(mover, constant, node) || moved;
      }
    }
  }
}

interface Moved {
  readonly dims: readonly number[];
  readonly axis: number | undefined;
  /** Undefined: the elements stay in their order. */
  readonly order?: readonly number[];
}

function moveBefore(mover: Node, constant: ConstantQuant, dequantize: Node): boolean {
  if (mover.input(0) !== dequantize.output() || mover.output()?.isOutput !== false) return false;
  const how = mover.is('Transpose') ? transposed(mover, constant) : reshaped(mover, constant);
  if (!how) return false;
  const { input, type, block } = constant;
  const graph = mover.graph!;
  const [scale, zero] = [dequantize.input(1)!, dequantize.input(2)];
  const permuted = (value: Tensor, name: string): Tensor => {
    if (!how.order) return value.renamed(name).reshaped(how.dims);
    const dims = how.order.map((axis) => value.dims[axis]!);
    const places = permutation(value.dims, how.order);
    const float = value.type.name === 'float32';
    const from = float ? value.floats() : value.ints();
    const out: Codes | Float32Array = float ? new Float32Array(from.length) : codes(type, from.length);
    places.forEach((place, i) => (out[i] = from[place]!));
    return out instanceof Float32Array ? Tensor.of(name, 'float32', dims, out) : codesTensor(name, type, dims, out);
  };
  const placed = input.graph.addInitializer(permuted(input.constant!, `${input.name}_moved`));
  // Scales of blocks have the shape of the constant; others lie along one axis.
  const along = (value: typeof scale): typeof scale =>
    block === undefined ? value : input.graph.addInitializer(permuted(value.constant!, `${value.name}_moved`));
  const moved = dequantizeIn(
    graph,
    { codes: placed, scale: along(scale), zeroPoint: zero && along(zero), axis: how.axis, block },
    input.name,
  );
  graph.replaceUses(mover.output()!, moved);
  graph.remove(mover);
  return true;
}

function transposed(mover: Node, { input, axis }: ConstantQuant): Moved | undefined {
  const { dims } = input.constant!;
  const order = mover.ints('perm') ?? dims.map((_, i) => dims.length - 1 - i);
  return { dims: order.map((each) => dims[each]!), axis: axis === undefined ? undefined : order.indexOf(axis), order };
}

/** Operators that keep the order of elements: the axis is the one that cuts them in the same way. */
function reshaped(mover: Node, { input, axis, block }: ConstantQuant): Moved | undefined {
  if (!mover.is('Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity') || block !== undefined) return undefined;
  const before = input.constant!.dims;
  const dims = staticShape(mover, before);
  if (!dims || elementCount(dims) !== elementCount(before)) return undefined;
  if (axis === undefined) return { dims, axis: undefined };
  const inner = elementCount(before.slice(axis + 1));
  const same = dims.findIndex((dim, i) => dim === before[axis] && elementCount(dims.slice(i + 1)) === inner);
  return same < 0 ? undefined : { dims, axis: same };
}

function staticShape(mover: Node, before: readonly number[]): number[] | undefined {
  if (mover.is('Identity')) return [...before];
  if (mover.is('Reshape')) {
    const wanted = mover
      .constant(1)
      ?.ints()
      .map((dim, i) => (dim === 0 ? before[i]! : dim));
    const known = elementCount(wanted?.filter((dim) => dim > 0) ?? []);
    return wanted?.map((dim) => (dim < 0 ? elementCount(before) / known : dim));
  }
  const dims = mover.output()?.dims;
  return dims?.every((dim) => typeof dim === 'number') ? [...dims] : undefined;
}

/** Where each element of the transposed tensor came from. */
function permutation(dims: readonly number[], order: readonly number[]): Uint32Array {
  let places = Uint32Array.of(0);
  for (const axis of order) {
    const stride = elementCount(dims.slice(axis + 1));
    const next = new Uint32Array(places.length * dims[axis]!);
    let at = 0;
    for (const start of places) for (let i = 0; i < dims[axis]!; i++) next[at++] = start + i * stride;
    places = next;
  }
  return places;
}
