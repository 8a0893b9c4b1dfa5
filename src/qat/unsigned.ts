/**
 * Signed activations → unsigned: codes and zero points are moved by 128, and what they stand for stays the same. x64 CPUs without VNNI
 * add products with signed weights in saturating 16 bits, whatever the activations are; products of two unsigned codes are exact.
 */
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { dataType } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { allFakeQuants } from './fake-quant.ts';

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
