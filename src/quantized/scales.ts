/** Scales that are no scales: what a training that went astray leaves behind, and onnxruntime computes with without a word. */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';

export interface BadScale {
  readonly node: Node;
  /** The constant that holds it. */
  readonly tensor: string;
  readonly value: number;
  /** Its position, when there are several. */
  readonly index: number | undefined;
}

/** Constant scales of QuantizeLinear and DequantizeLinear that are not finite numbers above 0: the first one of each tensor. */
export function badScales(model: Model): BadScale[] {
  const seen = new Set<string>();
  const found: BadScale[] = [];
  for (const node of model.allNodes()) {
    const scale = node.is('QuantizeLinear', 'DequantizeLinear') ? node.constant(1) : undefined;
    const tensor = node.input(1)?.name ?? '';
    if (!scale || seen.has(tensor)) continue;
    seen.add(tensor);
    const values = scale.floats();
    const at = values.findIndex((value) => !(value > 0 && value < Infinity));
    if (at >= 0) found.push({ node, tensor, value: values[at]!, index: scale.size > 1 ? at : undefined });
  }
  return found;
}

/** "its scale 'ws' holds NaN at [2]". */
export function describeBadScale({ tensor, value, index }: Omit<BadScale, 'node'>): string {
  return index === undefined
    ? `its scale '${tensor}' is ${value}`
    : `its scale '${tensor}' holds ${value} at [${index}]`;
}
