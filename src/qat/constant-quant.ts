/**
 * Constants as codes behind DequantizeLinear, whoever wrote them: what a float constant behind a pair becomes, and what tools that
 * export codes write; and the layers that multiply them, as integer kernels will see those. Scales may lie along any axis, or stand
 * for blocks.
 */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';
import { elementCount } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { clamp, codes, codesTensor, roundHalfEven, type Codes, type IntegerType } from '../quantized/quant-params.ts';
import { axisOf, codeTypes, typeLimits } from './fake-quant.ts';
import type { CodeLimits } from './widths.ts';

/** How a tensor is cut into parts that share a scale. */
interface Scales {
  type: IntegerType;
  /** Float32 values. */
  readonly scales: Float32Array;
  /** As long as the scales, or one. */
  zeros: readonly number[];
  readonly axis: number | undefined;
  readonly block: number | undefined;
}

/** Codes of a constant, and the nodes that make real numbers of them. */
export interface ConstantQuant extends Scales {
  /** The codes. */
  input: Value;
  readonly dequantize: readonly Node[];
}

/** Finds the quantized constants of the main graph and of all bodies; those whose scales are computed are left out, and so is int32 (biases). */
export function findConstantQuants(model: Model): ConstantQuant[] {
  const found = new Map<string, ConstantQuant & { dequantize: Node[] }>();
  for (const node of model.allNodes()) {
    const [input, scale, zero] = [node.input(0), node.input(1), node.input(2)];
    if (!node.is('DequantizeLinear') || !input?.constant || !scale?.constant || (zero && !zero.constant)) continue;
    const type = input.constant.type.name as IntegerType;
    if (!codeTypes.has(type) || scale.constant.type.name !== 'float32') continue;
    const { axis, block } = axisOf(node);
    const key = JSON.stringify([input.name, scale.name, zero?.name, axis, block]);
    const known = found.get(key);
    if (known) known.dequantize.push(node);
    else {
      const scales = Float32Array.from(scale.constant.floats());
      found.set(key, { input, dequantize: [node], type, scales, zeros: zero?.constant?.ints() ?? [0], axis, block });
    }
  }
  return [...found.values()];
}

/** Returns a function from an element's position to that of its scale. */
export function slotsOf(dims: readonly number[], how: Omit<Scales, 'type'>): (element: number) => number {
  const { scales, axis, block } = how;
  if (axis === undefined) return () => 0;
  const inner = elementCount(dims.slice(axis + 1));
  if (block === undefined) return (i) => Math.floor(i / inner) % scales.length;
  const along = dims[axis]!;
  const blocks = Math.ceil(along / block);
  return (i) => {
    const row = Math.floor(i / inner);
    return (Math.floor(row / along) * blocks + Math.floor((row % along) / block)) * inner + (i % inner);
  };
}

/** Codes as QuantizeLinear makes them: half to even of the float32 quotient, saturated. */
export function codesOf(
  values: Float32Array,
  dims: readonly number[],
  how: Scales,
  { qmin, qmax }: CodeLimits = typeLimits(how.type),
): Codes {
  const { scales, zeros } = how;
  const out = codes(how.type, values.length);
  const slotOf = slotsOf(dims, how);
  for (let i = 0; i < out.length; i++) {
    const slot = slotOf(i);
    const zero = zeros[zeros.length === 1 ? 0 : slot]!;
    out[i] = clamp(roundHalfEven(Math.fround(values[i]! / scales[slot]!)) + zero, qmin, qmax);
  }
  return out;
}

/** What the codes stand for, as DequantizeLinear computes it. */
export function floatsOf(codes: Tensor, how: Scales): Float32Array {
  const values = codes.ints();
  const out = new Float32Array(values.length);
  const slotOf = slotsOf(codes.dims, how);
  for (let i = 0; i < out.length; i++) {
    const slot = slotOf(i);
    out[i] = (values[i]! - how.zeros[how.zeros.length === 1 ? 0 : slot]!) * how.scales[slot]!;
  }
  return out;
}

/** Writes other codes for a constant, which its DequantizeLinear nodes read from now on. */
export function recode(
  constant: ConstantQuant,
  elements: Codes,
  how: Pick<Scales, 'type' | 'scales' | 'zeros'>,
): Value {
  const { input, dequantize, axis } = constant;
  const { graph } = input;
  const dims = dequantize[0]!.input(1)!.constant!.dims;
  const zeros = codes(how.type, how.scales.length).map((_, i) => how.zeros[i % how.zeros.length]!);
  const placed = graph.addInitializer(codesTensor(input.name, how.type, input.constant!.dims, elements));
  const scale = graph.addInitializer(Tensor.of(`${input.name}_scale`, 'float32', dims, how.scales));
  const zero = graph.addInitializer(codesTensor(`${input.name}_zero_point`, how.type, dims, zeros));
  for (const node of dequantize) [placed, scale, zero].forEach((value, i) => node.setInput(i, value));
  if (axis !== undefined) for (const node of dequantize) node.setInt('axis', axis);
  return placed;
}

/** What a quantized constant and a constant behind fake quantizers have in common. */
interface Dequantized {
  readonly input: Value;
  readonly dequantize: readonly Node[];
}

/** A node that multiplies a constant, with the quantizers of its operands. */
export interface Layer<W extends Dequantized> {
  readonly node: Node;
  readonly weight: W;
  /** The axis of the weight along which integer kernels read several scales; undefined: they take one. */
  readonly axis: number | undefined;
  /** Of the activation that enters: a constant of one number; undefined when that is not quantized so. */
  readonly inputScale: Value | undefined;
  /** Input position, when the bias is a constant that the kernel can take as int32. */
  readonly bias: number | undefined;
}

/** Finds the nodes that multiply one of the constants. */
export function findLayers<W extends Dequantized>(model: Model, constants: readonly W[]): Layer<W>[] {
  const byOutput = new Map(constants.flatMap((fake) => fake.dequantize.map((node) => [node.output()!, fake] as const)));
  const layers: Layer<W>[] = [];
  for (const node of model.allNodes()) {
    const spec = specOf(node);
    const rank = node.input(1)?.dims?.length;
    const weight = byOutput.get(node.input(1)!);
    if (!spec?.weight || !spec.quantize || !weight) continue;
    const { index, axis } = spec.weight(node, rank ?? weight.input.constant!.dims.length);
    // The operator is asked with the float weight in place: its rule speaks of constants.
    const dequantized = node.input(index)!;
    node.setInput(index, weight.input);
    const rule = spec.quantize(node);
    node.setInput(index, dequantized);
    const bias = typeof rule === 'string' ? undefined : rule.operands.find(({ role }) => role === 'bias')?.index;
    const inputScale = scaleOf(node.input(0));
    layers.push({ node, weight, axis, inputScale, bias: inputScale === undefined ? undefined : bias });
  }
  return layers;
}

/** The one scale of a value that comes out of a DequantizeLinear, perhaps moved on the way: runtimes move the codes then. */
function scaleOf(value: Value | undefined): Value | undefined {
  let producer = value?.producer;
  while (producer?.is('Transpose', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'))
    producer = producer.input(0)?.producer;
  const scale = producer?.is('DequantizeLinear') ? producer.input(1) : undefined;
  return scale?.constant?.size === 1 ? scale : undefined;
}
