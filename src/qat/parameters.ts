/**
 * What is trained: weights and biases of the operators that have some, and the scales of the fake quantizers. All of them lie
 * one after the other in one flat array, which is what optimizers, checkpoints and workers handle.
 */
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { specOf } from '../ops/index.ts';
import { findFakeQuants, type FakeQuant } from './fake-quant.ts';

/**
 * weight: decays. bias: any other learned constant, which does not. scale: of a fake quantizer. statistic: not learned, but
 * moved towards what the batches show (running mean and variance).
 */
export type ParameterKind = 'weight' | 'bias' | 'scale' | 'statistic';

/** One trained tensor, and its place in the flat array. */
export interface Parameter {
  readonly name: string;
  readonly kind: ParameterKind;
  readonly dims: readonly number[];
  /** Place in the flat array. */
  readonly offset: number;
  readonly length: number;
  /** Scale only: the largest code, counted from the zero point, and the elements per sample (or weight channel) it scales. */
  readonly levels?: number;
  readonly elements?: number;
  /** Statistic only: the part of it that one step keeps. */
  readonly momentum?: number;
}

/**
 * In a fixed order: by kind, then as they stand in the graph.
 * @param elementsOf number of elements per sample of an activation, by name
 */
export function findParameters(model: Model, elementsOf: (value: Value) => number): Parameter[] {
  const fakes = findFakeQuants(model).filter(({ quantize }) => quantize.graph === model.graph);
  const scales = new Map<Value, FakeQuant>();
  for (const fake of fakes) if (isLearnable(fake.scale) && !scales.has(fake.scale)) scales.set(fake.scale, fake);
  const kinds = new Map<Value, ParameterKind>();
  for (const { input } of fakes) if (isLearnable(input)) kinds.set(input, 'weight');
  for (const node of model.graph.nodes()) {
    for (const index of specOf(node)?.learnable?.(node) ?? []) {
      const value = node.input(index);
      if (!value || !isLearnable(value) || kinds.has(value) || scales.has(value) || isMask(value)) continue;
      kinds.set(value, value.constant!.dims.length > 1 ? 'weight' : 'bias');
    }
  }
  const found: Parameter[] = [];
  let offset = 0;
  const add = (value: Value, rest: Omit<Parameter, 'name' | 'dims' | 'offset' | 'length'>): void => {
    const { dims, size } = value.constant!;
    found.push({ name: value.name, dims, offset, length: size, ...rest });
    offset += size;
  };
  for (const kind of ['weight', 'bias'] as const)
    for (const [value, own] of kinds) if (own === kind) add(value, { kind });
  for (const [value, { input, limits, zeroPoint }] of scales) {
    const zero = zeroPoint?.constant?.ints()[0] ?? 0;
    const count = input.isConstant ? input.constant!.size / value.constant!.size : elementsOf(input);
    add(value, { kind: 'scale', levels: Math.max(1, limits.qmax - zero), elements: count });
  }
  return found;
}

/** Reads their values in the model into one array. */
export function gatherParameters(model: Model, parameters: readonly Parameter[]): Float32Array {
  const flat = new Float32Array(totalLength(parameters));
  for (const { name, offset } of parameters) flat.set(model.graph.values.get(name)!.initializer!.floats(), offset);
  return flat;
}

/** The length of the flat array. */
export function totalLength(parameters: readonly Parameter[]): number {
  const last = parameters.at(-1);
  return last ? last.offset + last.length : 0;
}

function isLearnable(value: Value): boolean {
  return value.isConstant && value.constant!.type.name === 'float32' && value.constant!.size > 0;
}

/**
 * Whether a constant takes elements out: it holds minus infinity, or what exporters write for it. Steps, decay and moments would
 * move what it leaves in, and make NaN of infinity.
 */
function isMask(value: Value): boolean {
  return value.constant!.floats().some((x) => x <= -1e4 || x === Infinity || Number.isNaN(x));
}
