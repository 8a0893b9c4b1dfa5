/**
 * How many bits each quantizer gets. Few bits are for what multiplies: the weights and the activations that enter a layer with
 * weights. Everything else keeps the width of its container, because a narrow sum or pool saves nothing and costs accuracy.
 * The first and the last layers, which suffer most, have a width of their own.
 */
import { finetuneErrors } from '../errors/finetune.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { topologicalDeep } from '../graph/walk.ts';
import { specOf } from '../ops/index.ts';
import type { QdqPlan, RegionPlan } from '../quantizable/plan.ts';
import type { IntegerType } from '../quantized/params.ts';

export interface Widths {
  /** 2 to 16 each. */
  readonly weights: number;
  readonly activations: number;
  readonly firstLast: number;
}

/** Codes that a quantizer may use, within its container. */
export interface CodeLimits {
  readonly qmin: number;
  readonly qmax: number;
}

export function containerBits(type: IntegerType): number {
  return type.endsWith('16') ? 16 : 8;
}

/** @throws QAT_BITS when a width does not fit its container, or no kernel stores it */
export function checkWidths(widths: Widths, activationType: IntegerType, weightType: IntegerType): void {
  const check = (flag: string, bits: number, type: IntegerType): void => {
    if (bits > containerBits(type)) throw finetuneErrors.bits(flag, bits, type);
  };
  check('--activation-bits', widths.activations, activationType);
  check('--weight-bits', widths.weights, weightType);
}

/** Codes of an activation: all that the bits allow. A symmetric signed type leaves out the lowest one. */
export function activationLimits(type: IntegerType, symmetric: boolean, bits: number): CodeLimits {
  if (type.startsWith('u')) return { qmin: 0, qmax: 2 ** bits - 1 };
  return { qmin: symmetric ? 1 - 2 ** (bits - 1) : -(2 ** (bits - 1)), qmax: 2 ** (bits - 1) - 1 };
}

/** Codes of a weight: symmetric around the zero point, so that -w has a code whenever w has. */
export function weightLimits(type: IntegerType, bits: number): CodeLimits & { zeroPoint: number; top: number } {
  const zeroPoint = type.startsWith('u') ? 2 ** (containerBits(type) - 1) : 0;
  const top = 2 ** (bits - 1) - 1;
  return { qmin: zeroPoint - top, qmax: zeroPoint + top, zeroPoint, top };
}

/** Regions with weights → the bits of what they multiply; both widths are those of the ends for an end of the network. */
export function regionWidths(
  model: Model,
  plan: QdqPlan,
  { weights, activations, firstLast }: Widths,
): Map<RegionPlan, { readonly weight: number; readonly activation: number }> {
  const ends = endsOf(model);
  const byOutput = new Map(plan.regions.map((region) => [region.tensor, region]));
  const found = new Map<RegionPlan, { weight: number; activation: number }>();
  for (const node of model.allNodes()) {
    const region = byOutput.get(node.output()?.name ?? '');
    if (!region?.weight) continue;
    found.set(
      region,
      ends.has(node) ? { weight: firstLast, activation: firstLast } : { weight: weights, activation: activations },
    );
  }
  return found;
}

/** Layers with weights that no other one stands before, or behind. */
function endsOf(model: Model): Set<Node> {
  const order = [...topologicalDeep(model.graph)];
  const ends = new Set<Node>();
  const behind = new Set<Value>();
  for (const node of order) {
    const isBehind = readsOf(node).some((value) => behind.has(value));
    const layer = isLayer(node);
    if (layer && !isBehind) ends.add(node);
    if (layer || isBehind) for (const output of node.outputs) if (output) behind.add(output);
  }
  const before = new Set<Value>();
  for (const node of order.reverse()) {
    const isBefore =
      node.outputs.some((output) => output && before.has(output)) ||
      node.graph!.outputs.some(
        (output) =>
          node.outputs.includes(output) && node.graph!.owner?.outputs.some((outer) => outer && before.has(outer)),
      );
    const layer = isLayer(node);
    if (layer && !isBefore) ends.add(node);
    if (layer || isBefore) for (const value of readsOf(node)) before.add(value);
  }
  return ends;
}

/** Bodies included: their results are the node's. */
function readsOf(node: Node): Value[] {
  return [...node.inputs.filter((value) => value !== null), ...node.subgraphs().flatMap((body) => body.outputs)];
}

function isLayer(node: Node): boolean {
  return specOf(node)?.weight !== undefined && node.constant(1) !== undefined;
}
