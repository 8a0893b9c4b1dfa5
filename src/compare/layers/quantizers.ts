/**
 * The quantized tensors of a model as it was written: activations behind a QuantizeLinear, constants before a
 * DequantizeLinear. Biases (int32) follow from the two and are left out, as are scales that are computed at run time.
 */
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import { topologicalDeep } from '../../graph/walk.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { isDequantize, isQuantize } from '../regions.ts';

export interface Quantizer {
  /** The tensor of codes. */
  readonly codes: Value;
  readonly kind: 'activation' | 'weight';
  readonly unsigned: boolean;
  readonly bits: number;
  /** One per channel, or per block of the axis in row-major order, or one. */
  readonly scales: Float32Array;
  /** As many as scales. */
  readonly zeroPoints: Float32Array;
  readonly axis: number | undefined;
  /** Elements of the axis that share a scale; 0: one scale per position of the axis. */
  readonly block: number;
  /** Makes the activation, or reads the weight; undefined for a graph input. */
  readonly node: Node | undefined;
}

/** In the order of the graph; a weight stands before what its first reader makes. */
export function findQuantizers(model: Model): Quantizer[] {
  const found: Quantizer[] = [];
  const seen = new Set<Value>();
  const add = (quantizer: Quantizer | undefined): void => {
    if (!quantizer || seen.has(quantizer.codes)) return;
    seen.add(quantizer.codes);
    found.push(quantizer);
  };
  for (const node of topologicalDeep(model.graph)) {
    if (isQuantize(node) && !node.input(0)?.isConstant) add(quantizerOf(node, node.output()!, makerOf(node.input(0)!)));
    for (const input of node.inputs) {
      const dequantize = input?.producer;
      if (isDequantize(dequantize) && dequantize!.input(0)?.isConstant)
        add(quantizerOf(dequantize!, dequantize!.input(0)!, node));
    }
  }
  return found;
}

/** The value behind pairs of quantizers and copies, which stand for the same tensor. */
export function bare(value: Value): Value {
  let bared = value;
  for (;;) {
    const { producer } = bared;
    let from: Value | undefined;
    if (producer?.is('Identity') || (producer?.is('Sum') && producer.inputs.length === 1)) from = producer.input(0);
    else if (isDequantize(producer) && isQuantize(producer!.input(0)?.producer))
      from = producer!.input(0)!.producer!.input(0);
    if (!from) return bared;
    bared = from;
  }
}

/** Codes of a constant that are dequantized to this value. */
export function constantCodes({ producer }: Value): Tensor | undefined {
  return isDequantize(producer) ? producer!.constant(0) : undefined;
}

function makerOf(value: Value): Node | undefined {
  return bare(value).producer;
}

/** @param node QuantizeLinear or DequantizeLinear */
function quantizerOf(node: Node, codes: Value, maker: Node | undefined): Quantizer | undefined {
  const scale = node.constant(1);
  const zero = node.constant(2);
  const type = (codes.constant ?? zero)?.type;
  // Without a zero point QuantizeLinear makes uint8, unless it says otherwise, which nobody does.
  const [name, bits] = type ? [type.name, type.bits] : ['uint8', 8];
  if (!scale || (node.input(2) && !zero) || bits > 16 || !/^u?int/.test(name)) return undefined;
  const scales = scale.floats();
  return {
    codes,
    kind: isQuantize(node) ? 'activation' : 'weight',
    unsigned: name.startsWith('u'),
    bits,
    scales,
    zeroPoints: zero ? Float32Array.from(zero.ints()) : new Float32Array(scales.length),
    axis: scales.length > 1 ? node.int('axis', 1) : undefined,
    block: scales.length > 1 ? node.int('block_size', 0) : 0,
    node: maker,
  };
}

export function codeLimits({ unsigned, bits }: Quantizer): { readonly qmin: number; readonly qmax: number } {
  return unsigned ? { qmin: 0, qmax: 2 ** bits - 1 } : { qmin: -(2 ** (bits - 1)), qmax: 2 ** (bits - 1) - 1 };
}

/** 'u8 per tensor' */
export function schemeOf({ unsigned, bits, axis, block }: Quantizer): string {
  const grain = axis === undefined ? 'per tensor' : block > 0 ? `per block of ${block}` : 'per channel';
  return `${unsigned ? 'u' : 's'}${bits} ${grain}`;
}

/**
 * How the scales lie over a tensor of these dimensions: `outer` repetitions of `slots` runs of `inner` elements, where run s
 * of repetition o has scale `scaleAt(o, s)`.
 */
export function runsOf(
  { axis, block, scales }: Quantizer,
  dims: readonly number[],
): { readonly outer: number; readonly slots: number; readonly inner: number; scaleAt(o: number, s: number): number } {
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (axis === undefined) return { outer: 1, slots: 1, inner: size, scaleAt: () => 0 };
  const at = axis < 0 ? axis + dims.length : axis;
  const inner = dims.slice(at + 1).reduce((product, dim) => product * dim, 1);
  const slots = dims[at]!;
  const outer = inner * slots === 0 ? 0 : size / (inner * slots);
  if (block === 0) return { outer, slots, inner, scaleAt: (_o, s) => s };
  // Each element along the axis is a run; blocked scales are [.., blocks, inner], so a run holds `inner` different scales:
  // cut it into single elements by calling each of them a slot.
  const blocks = scales.length / (outer * inner);
  return {
    outer,
    slots: slots * inner,
    inner: 1,
    scaleAt: (o, s) => (o * blocks + Math.floor(Math.floor(s / inner) / block)) * inner + (s % inner),
  };
}
