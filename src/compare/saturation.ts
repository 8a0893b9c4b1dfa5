/**
 * What x64 CPUs without VNNI do to int8 products: they may saturate. Their instruction (VPMADDUBSW) adds two u8×s8
 * products in 16 bits: 255·127·2 overflows. Safe are weights of at most 64, and weights no two neighbours of which sum to more
 * than 128 in the order of the kernel.
 */
import type { CpuInfo } from '../backends/cpu.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { specOf } from '../ops/index.ts';
import { hasHeavyPair, kernelOrder } from '../quantized/pairs.ts';
import { asLoaded } from '../quantized/dequantize.ts';
import { elementTypes } from '../graph/element-types.ts';
import { isDequantize } from './regions.ts';

const safeWeight = 64;

/** Whether int8 products of the model can saturate on such a CPU. */
export function canSaturate(written: Model): boolean {
  const model = asLoaded(written);
  const types = elementTypes(model);
  const stored = (value: Value | null): Value | null =>
    value && isDequantize(value.producer) ? (value.producer!.input(0) ?? value) : value;
  for (const node of model.allNodes()) {
    if (isDequantize(node)) continue;
    const inputs = node.inputs.map(stored);
    const unsigned = inputs.some((value) => value && value.constant === undefined && types.get(value) === 'uint8');
    if (unsigned && inputs.some((value, index) => value?.constant && isHeavy(node, index, value.constant))) return true;
  }
  return false;
}

function isHeavy(node: Node, index: number, weight: Tensor): boolean {
  if (weight.type.name !== 'int8') return false;
  const codes = weight.data() as Int8Array;
  const operand = specOf(node)?.weight?.(node, weight.dims.length);
  if (operand?.index === index && operand.layout) return hasHeavyPair(codes, kernelOrder(weight.dims, operand.layout));
  return codes.some((code) => Math.abs(code) > safeWeight);
}

/** Whether this is an x64 CPU that is known to have no VNNI. */
export function lacksVnni({ arch, features, vnni }: Pick<CpuInfo, 'arch' | 'features' | 'vnni'>): boolean {
  return arch === 'x64' && features.length > 0 && !vnni;
}
