/** Layers of a fake-quantized model: nodes that multiply a quantized constant, as integer kernels will see them. */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';

/** A constant behind quantizers, and the nodes that make real numbers of its codes. */
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
