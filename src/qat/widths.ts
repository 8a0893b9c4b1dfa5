/**
 * How many bits each quantizer gets. Few bits are for what multiplies: the weights and the activations that enter a layer with
 * weights. Everything else keeps the width of its container, because a narrow sum or pool saves nothing and costs accuracy.
 * The first and the last layers, which suffer most, have a width of their own.
 *
 * A tensor has the width that its readers want. When one of them multiplies it by weights in few bits and another adds it up, it is
 * quantized twice: wide for all, and from there narrow for the layer, so that few bits never enter a residual sum.
 */
import type { Value } from '../graph/value.ts';
import type { QdqPlan, RegionPlan, TensorPlan } from '../quantizable/plan.ts';
import { finetuneErrors } from '../errors/finetune.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { topologicalDeep } from '../graph/walk.ts';
import { specOf } from '../ops/index.ts';
import type { IntegerType } from '../quantized/quant-params.ts';

/** The bits that the user asked for. */
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

/** The bits that codes of a type are stored and computed in: 16 or 8. */
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

/** In how many bits a tensor is quantized. */
export interface TensorBits {
  /** Whose range the tensor uses: its own plan, or that of the tensor it shares with. */
  readonly root: TensorPlan;
  readonly own: number;
  /** Regions that read a narrower copy, by width. */
  readonly narrower: ReadonlyMap<number, ReadonlySet<RegionPlan>>;
}

/**
 * The bits of every planned tensor, by name.
 * @param layers regions with weights, and the bits in which they read their activations
 */
export function activationBits(
  plan: QdqPlan,
  find: (name: string) => Value | undefined,
  layers: ReadonlyMap<RegionPlan, { readonly activation: number }>,
): Map<string, TensorBits> {
  const full = containerBits(plan.scheme.activationType);
  const byName = new Map(plan.tensors.map((tensor) => [tensor.name, tensor]));
  const rootOf = (tensor: TensorPlan): TensorPlan => {
    let root = tensor;
    while (root.source === 'share') root = byName.get(root.with!)!;
    return root;
  };
  const wanted = new Map<TensorPlan, Set<number>>();
  const want = (root: TensorPlan, bits: number): void => {
    if (!wanted.has(root)) wanted.set(root, new Set());
    wanted.get(root)!.add(bits);
  };
  const passesOn = (region: RegionPlan, tensor: TensorPlan): boolean =>
    region.outputs.some(
      (output) => byName.get(output)?.source === 'share' && rootOf(byName.get(output)!) === rootOf(tensor),
    );
  for (const region of plan.regions) {
    for (const { tensor } of region.activations) {
      const read = byName.get(tensor)!;
      if (!passesOn(region, read)) want(rootOf(read), layers.get(region)?.activation ?? full);
    }
  }
  for (const tensor of plan.tensors) {
    if (tensor.int8Producer && isReadInFloat(find(tensor.name)!, tensor.name, plan)) want(rootOf(tensor), full);
  }
  const result = new Map<string, TensorBits>();
  for (const tensor of plan.tensors) {
    const root = rootOf(tensor);
    const own = Math.max(...(wanted.get(root) ?? [full]));
    const narrower = new Map<number, Set<RegionPlan>>();
    for (const [region, { activation }] of layers) {
      if (activation >= own || !region.activations.some((operand) => operand.tensor === tensor.name)) continue;
      if (!narrower.has(activation)) narrower.set(activation, new Set());
      narrower.get(activation)!.add(region);
    }
    result.set(tensor.name, { root, own, narrower });
  }
  return result;
}

/** Whether anything but regions reads the value: it reads the dequantized one, and should see all bits of it. */
function isReadInFloat(value: Value, name: string, { regions }: QdqPlan): boolean {
  const reads = regions.reduce(
    (sum, { activations }) => sum + activations.filter((operand) => operand.tensor === name).length,
    0,
  );
  return value.useCount > reads;
}
