/**
 * QuantizeLinear → DequantizeLinear around a float tensor is one unit, a fake quantizer, and has one gradient: that of the
 * straight-through estimator (Bengio et al. 2013) for the tensor, and that of LSQ (Esser et al. 2020) for the scale. Between the
 * two may stand a Clip of the codes, as PyTorch writes ranges that are narrower than the type, and Casts that change no code
 * around it: onnxruntime clips no 16-bit integers.
 *
 *   y = s · (clamp(round(x / s) + z, qmin, qmax) − z)
 *   dx = dy where (qmin − z)·s ≤ x ≤ (qmax − z)·s, else 0
 *   ds = Σ (dy·y − dx·x) / s: inside dy·(y − x)/s, outside dy·(q − z)
 *
 * The mask is that of the exact bounds, these included; PyTorch lets values pass that are up to half a step beyond. The zero
 * point has no gradient, and the caller scales that of the scale.
 */
import { channelShape, sameDims, type Emitter } from '../graph/emitter.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { dataTypeOfCode, type DataTypeName } from '../onnx/data-types.ts';
import { dyOf, staticDims, wrapAxis, type GradientContext } from './gradient/context.ts';
import type { OpSpec } from './op.ts';

interface FakeQuantizer {
  readonly x: Value;
  readonly quantize: Node;
  readonly dequantize: Node;
  /** The Clip of the codes, where there is one. */
  readonly clip: Node | undefined;
}

/** The fake quantizer that this DequantizeLinear ends; undefined for one that reads stored codes. */
export function fakeQuantizerOf(dequantize: Node): FakeQuantizer | undefined {
  let node = beforeCasts(dequantize);
  const clip = node?.is('Clip') ? node : undefined;
  if (clip) node = beforeCasts(clip);
  if (!node?.is('QuantizeLinear')) return undefined;
  return { x: node.input(0)!, quantize: node, dequantize, clip };
}

/** The producer of input 0, seen through Casts to integers in which every code of 16 bits has a place, and back. */
function beforeCasts(node: Node): Node | undefined {
  let before = node.input(0)?.producer;
  while (before?.is('Cast') && (isWide(before) || backToCodes(before))) before = before.input(0)?.producer;
  return before;
}

const isWide = (cast: Node): boolean => ['int32', 'int64'].includes(castType(cast) ?? '');

/** To the type from which the codes came: the QuantizeLinear at the other end of the chain writes it. */
function backToCodes(cast: Node): boolean {
  let node = cast.input(0)?.producer;
  while (node?.is('Clip') || (node?.is('Cast') && isWide(node))) node = node.input(0)?.producer;
  return node?.is('QuantizeLinear') === true && node.output()!.type === castType(cast);
}

const castType = (cast: Node): DataTypeName | undefined => dataTypeOfCode(cast.int('to', 0))?.name;

/** A QuantizeLinear from whose codes those of this node are made, however far away. */
function quantizerBefore(dequantize: Node): Node | undefined {
  const stack = [dequantize.input(0)?.producer];
  const seen = new Set<Node>();
  while (stack.length > 0) {
    const node = stack.pop();
    if (!node || seen.has(node)) continue;
    if (node.is('QuantizeLinear')) return node;
    seen.add(node);
    for (const input of node.inputs) if (input && input.type !== 'float32') stack.push(input.producer);
  }
  return undefined;
}

/** Largest and smallest code of each type. */
const limits: Partial<Record<DataTypeName, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint4: [0, 15],
  int4: [-8, 7],
  uint2: [0, 3],
  int2: [-2, 1],
};

function codeLimits({ quantize, clip }: FakeQuantizer): readonly [number, number] | string {
  const type = quantize.output()!.type;
  const own = type && limits[type];
  if (!own) return `its codes are ${type ?? 'of unknown type'}, and fake quantizers have integer codes`;
  if (!clip) return own;
  const clipped = [1, 2].map((index) => (clip.input(index) ? clip.constant(index)?.ints()[0] : own[index - 1]));
  if (clipped.includes(undefined)) return `the limits of '${clip.label}' are computed at run time`;
  return [Math.max(own[0], clipped[0]!), Math.min(own[1], clipped[1]!)];
}

/** How a parameter of one number, or of one per channel, meets a tensor of this shape. */
function parameterShape(dims: readonly number[], parameter: readonly number[], axis: number): number[] {
  return parameter.length === 0 || (parameter.length === 1 && parameter[0] === 1 && dims[axis] !== 1)
    ? []
    : channelShape(dims.length, axis, parameter[0]!);
}

export const quantizeLinear: OpSpec = {
  types: ['QuantizeLinear'],
  gradient: () => 'its codes are used without a DequantizeLinear behind them',
  gradientSources: () => [],
};

export const dequantizeLinear: OpSpec = {
  types: ['DequantizeLinear'],
  gradientSources(node) {
    const unit = fakeQuantizerOf(node);
    const scale = node.input(1)!;
    if (unit) return [...new Set([unit.x, unit.quantize.input(1)!, scale])];
    const quantizer = quantizerBefore(node);
    return quantizer ? [quantizer.input(0)!, scale] : [scale];
  },
  gradient(context: GradientContext) {
    const { node } = context;
    if (node.int('block_size', 0) > 0) return 'it has a scale per block (block_size)';
    const unit = fakeQuantizerOf(node);
    if (!unit) {
      const quantizer = quantizerBefore(node);
      if (quantizer) return `between it and '${quantizer.label}' the codes pass through other nodes than a Clip`;
      return storedCodes(context);
    }
    const range = codeLimits(unit);
    return typeof range === 'string' ? range : fakeQuantized(context, unit, range);
  },
};

/** y = s · (q − z): ds = Σ dy·y / s. */
function storedCodes(context: GradientContext): void {
  const { node, emit } = context;
  const y = node.output()!;
  addScale(context, emit.op('Mul', [dyOf(context), y]), node.input(1)!, node);
}

function fakeQuantized(context: GradientContext, unit: FakeQuantizer, range: readonly [number, number]): void {
  const { node, emit, needs } = context;
  const { x, quantize } = unit;
  const [dy, y] = [dyOf(context), node.output()!];
  const [inner, outer] = [quantize.input(1)!, node.input(1)!];
  const dx = emit.op('Where', [withinRange(emit, unit, range), dy, emit.scalar(0)]);
  if (needs(x)) context.add(x, dx);
  const passed = (): Value => emit.op('Mul', [dx, x]);
  const seen = (): Value => emit.op('Mul', [dy, y]);
  if (inner === outer) {
    // One difference per element: the two sums alone would cancel badly.
    if (needs(outer)) addScale(context, emit.op('Sub', [seen(), passed()]), outer, node);
    return;
  }
  if (needs(outer)) addScale(context, seen(), outer, node);
  if (needs(inner)) addScale(context, emit.op('Neg', [passed()]), inner, quantize);
}

/** Adds Σ terms / s to the gradient of a scale. @param terms in the shape of the output; `node` reads the scale */
function addScale(context: GradientContext, terms: Value, scale: Value, node: Node): void {
  const { emit } = context;
  const dims = staticDims(context.node.output()!);
  const own = staticDims(scale);
  const axis = wrapAxis(node.int('axis', 1), dims.length);
  const shape = parameterShape(dims, own, axis);
  const sum =
    shape.length === 0
      ? emit.op('ReduceSum', [terms], { keepdims: 0 })
      : emit.sum(terms, otherAxes(dims.length, axis), false);
  const shaped = shape.length === 0 && own.length > 0 ? emit.reshape(sum, own) : sum;
  context.add(scale, emit.op('Div', [shaped, scale]));
}

const otherAxes = (rank: number, axis: number): number[] => {
  return Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis);
};

/** True where x is within the exact bounds. */
function withinRange(emit: Emitter, unit: FakeQuantizer, range: readonly [number, number]): Value {
  const { x, quantize } = unit;
  const dims = staticDims(x);
  const scale = quantize.input(1)!;
  const own = staticDims(scale);
  const shape = parameterShape(dims, own, wrapAxis(quantize.int('axis', 1), dims.length));
  const shaped = (value: Value): Value => (sameDims(own, shape) ? value : emit.reshape(value, shape));
  const [low, high] = range.map((code) => shaped(emit.op('Mul', [levels(emit, quantize, code, own), scale]))) as [
    Value,
    Value,
  ];
  if (shape.length === 0) return emit.op('Equal', [emit.op('Clip', [x, low, high]), x]);
  return emit.op('And', [emit.op('GreaterOrEqual', [x, low]), emit.op('LessOrEqual', [x, high])]);
}

/** code − zero point, in the shape of the scale: a constant when the zero point is. */
function levels(emit: Emitter, quantize: Node, code: number, dims: readonly number[]): Value {
  const zero = quantize.input(2);
  const zeros = zero ? quantize.constant(2)?.ints() : [0];
  if (!zeros) return emit.op('Sub', [emit.scalar(code), emit.op('Cast', [zero!], { to: 1 })]);
  if (zeros.every((point) => point === zeros[0])) return emit.scalar(code - zeros[0]!);
  return emit.floats(
    dims,
    zeros.map((point) => code - point),
  );
}
