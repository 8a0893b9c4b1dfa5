/**
 * Rewrites on the way from a fake-quantized model to an int8 model, each for a trait of integer kernels: Relu and Clip that the
 * quantizer behind them makes superfluous, scales of weights that suit their biases, and unsigned activations.
 */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { bypass } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { dataType } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { specOf } from '../ops/index.ts';
import { fitScales } from '../quantized/bias.ts';
import { codesOf, floatsOf, recode, slotsOf, type ConstantQuant, type Layer } from './constant-quant.ts';
import { allFakeQuants, type FakeQuant } from './fake-quant.ts';
import type { CodeLimits } from './widths.ts';

/** Removes the limiting activations before a quantizer whose codes cannot leave the limits anyway. Returns how many. */
export function absorbClamps(fake: FakeQuant): number {
  const scale = fake.scale.constant?.floats();
  const zero = fake.zeroPoint?.constant?.ints()[0] ?? 0;
  if (scale?.length !== 1) return 0;
  const [low, high] = [fake.limits.qmin, fake.limits.qmax].map((code) => (code - zero) * scale[0]!) as [number, number];
  const slack = scale[0]! / 2;
  let absorbed = 0;
  for (let value = fake.quantize.input(0)!; ; value = fake.quantize.input(0)!) {
    const clampNode = value.producer;
    const limits = clampNode && specOf(clampNode)?.clamp?.(clampNode);
    if (!limits || value.soleUser !== fake.quantize || !isLayer(clampNode)) return absorbed;
    if (low < limits.min - slack || high > limits.max + slack) return absorbed;
    const limited = clampNode.input(0)!;
    // What was quantized keeps its name.
    clampNode.graph!.swapNames(value, limited);
    bypass(clampNode, limited);
    absorbed++;
  }
}

/** Whether what it limits is computed in integers: behind a layer with its operands in codes, perhaps through other limits. */
function isLayer(clampNode: Node): boolean {
  const before = clampNode.input(0);
  const producer = before?.producer;
  if (!producer || before.soleUser !== clampNode) return false;
  if (specOf(producer)?.clamp) return isLayer(producer);
  return producer.inputs[0]?.producer?.is('DequantizeLinear') === true;
}

/** What a constant was before it became codes. */
export interface Origin {
  readonly name: string;
  readonly values: Tensor;
  readonly limits: CodeLimits;
}

/**
 * Fits the scales of weights to the biases of the layers that read them (quantized/bias.ts says why); the codes follow.
 * @param layers with a bias that has a scale for each of its elements
 * @param sources of codes that were made of float constants, by name
 * @returns the weights that lost precision, with the number of channels
 */
export function fitWeights(
  layers: readonly Layer<ConstantQuant>[],
  sources: ReadonlyMap<string, Origin>,
): { weight: string; channels: number }[] {
  const readers = new Map<ConstantQuant, Layer<ConstantQuant>[]>();
  for (const layer of layers) readers.set(layer.weight, [...(readers.get(layer.weight) ?? []), layer]);
  return [...readers].flatMap(([weight, reading]) => {
    const given = weight.scales.slice();
    const stored = weight.input.constant!;
    const origin = sources.get(weight.input.name);
    const values = origin?.values.floats().slice() ?? floatsOf(stored, weight);
    const silent = silentSlots(weight);
    const biased = reading.map(({ node, bias, inputScale }) => {
      return { bias: node.constant(bias!)!, inputScale: inputScale!.constant!.floats()[0]! };
    });
    const enlarged = fitScales(weight.scales, silent, biased);
    if (weight.scales.every((scale, slot) => scale === given[slot])) return [];
    // What was rounded to 0 stays 0, however fine the step of its bias.
    const slotOf = slotsOf(stored.dims, weight);
    for (let i = 0; i < values.length; i++) if (silent.has(slotOf(i))) values[i] = 0;
    weight.input = recode(weight, codesOf(values, stored.dims, weight, origin?.limits), weight);
    return enlarged.size === 0 ? [] : [{ weight: origin?.name ?? stored.name, channels: enlarged.size }];
  });
}

/** Slots whose codes all stand for 0. */
function silentSlots(weight: ConstantQuant): Set<number> {
  const { input, scales, zeros } = weight;
  const silent = new Set(scales.keys());
  const slotOf = slotsOf(input.constant!.dims, weight);
  input.constant!.ints().forEach((code, i) => {
    const slot = slotOf(i);
    if (code !== zeros[zeros.length === 1 ? 0 : slot]) silent.delete(slot);
  });
  return silent;
}

/**
 * Signed activations → unsigned: codes and zero points are moved by 128, and what they stand for stays the same. x64 CPUs without VNNI
 * add products with signed weights in saturating 16 bits, whatever the activations are; products of two unsigned codes are exact.
 */
export function unsignActivations(model: Model): void {
  const moved = new Map<Value, Value>();
  const unsigned = (value: Value): Value => {
    const known = moved.get(value);
    if (known) return known;
    const codes = Uint8Array.from(value.constant!.ints(), (code) => code + 128);
    const tensor = Tensor.of(`${value.name}_unsigned`, 'uint8', value.constant!.dims, codes);
    const made = value.graph.addInitializer(tensor);
    moved.set(value, made);
    return made;
  };
  for (const { quantize, clamps, dequantize, input, zeroPoint, type } of allFakeQuants(model)) {
    const limits = clamps.flatMap((clamp) => [clamp.input(1), clamp.input(2)]);
    const constant = [zeroPoint, ...limits].every((value) => !value || value.isConstant);
    // Casts lead through another type, in which limits are written.
    if (type !== 'int8' || input.isConstant || !zeroPoint || !constant || clamps.some((each) => !each.is('Clip')))
      continue;
    for (const node of [quantize, ...dequantize]) node.setInput(2, unsigned(node.input(2) ?? zeroPoint));
    if (quantize.attributes.has('output_dtype')) quantize.setInt('output_dtype', dataType('uint8').code);
    for (const clamp of clamps)
      for (const at of [1, 2]) if (clamp.input(at)) clamp.setInput(at, unsigned(clamp.input(at)!));
    for (const node of [quantize, ...clamps]) {
      const output = node.output()!;
      if (output.info) output.setType(dataType('uint8').code, output.dims);
    }
  }
}
