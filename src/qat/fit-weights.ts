/** Scales of weights, fitted to the biases of the layers that read them: quantized/bias.ts says why. Their codes follow. */
import type { Tensor } from '../onnx/tensor.ts';
import { fitScales } from '../quantized/bias.ts';
import { codesOf, floatsOf, recode, slotsOf, type ConstantQuant } from './constant-quant.ts';
import type { Layer } from './layers.ts';
import type { CodeLimits } from './widths.ts';

/** What a constant was before it became codes. */
export interface Origin {
  readonly name: string;
  readonly values: Tensor;
  readonly limits: CodeLimits;
}

/**
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
