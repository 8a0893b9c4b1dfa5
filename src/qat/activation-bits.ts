/**
 * Bits of the activations. A tensor has the width that its readers want. When one of them multiplies it by weights in few bits
 * and another adds it up, it is quantized twice: wide for all, and from there narrow for the layer, so that few bits never
 * enter a residual sum.
 */
import type { Value } from '../graph/value.ts';
import type { QdqPlan, RegionPlan, TensorPlan } from '../quantizable/plan.ts';
import { containerBits } from './widths.ts';

export interface TensorBits {
  /** Whose range the tensor uses: its own plan, or that of the tensor it shares with. */
  readonly root: TensorPlan;
  readonly own: number;
  /** Regions that read a narrower copy, by width. */
  readonly narrower: ReadonlyMap<number, ReadonlySet<RegionPlan>>;
}

/** @param layers regions with weights, and the bits in which they read their activations */
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

/** What no region reads as codes reads the dequantized value: it should see all of it. */
function isReadInFloat(value: Value, name: string, { regions }: QdqPlan): boolean {
  const reads = regions.reduce(
    (sum, { activations }) => sum + activations.filter((operand) => operand.tensor === name).length,
    0,
  );
  return value.useCount > reads;
}
