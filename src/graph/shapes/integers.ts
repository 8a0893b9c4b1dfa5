/** Short constants of integers: axes, pads, bounds. */
import type { Tensor } from '../../onnx/tensor.ts';
import type { Node } from '../node.ts';
import type { Value } from '../value.ts';
import { longestVector } from './size.ts';

/** The tensor of a constant, also of one that still is a Constant node. */
export function tensorOf(value: Value | undefined): Tensor | undefined {
  if (!value) return undefined;
  return value.constant ?? (value.producer?.is('Constant') ? value.producer.tensor('value') : undefined);
}

/** Its content. The marks for "to the end" (2^63 - 1 and the like) lose digits, not meaning. */
export function integers(value: Value | undefined): number[] | undefined {
  const node = value?.producer;
  if (node?.is('Constant')) {
    const listed = node.ints('value_ints') ?? node.int('value_int');
    if (listed !== undefined) return typeof listed === 'number' ? [listed] : listed;
  }
  const tensor = tensorOf(value);
  if (!tensor || tensor.size > longestVector) return undefined;
  const { name } = tensor.type;
  if (name === 'bool') return Array.from(tensor.data() as Uint8Array, Number);
  if (name !== 'int64' && name !== 'int32') return undefined;
  return Array.from(tensor.data() as BigInt64Array | Int32Array, Number);
}

/** Integers that are an attribute in old opsets and a constant input since; undefined when they are absent or computed. */
export function integersOf(node: Node, name: string, index: number): number[] | undefined {
  return node.ints(name) ?? integers(node.input(index));
}
