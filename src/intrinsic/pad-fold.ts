/**
 * Pad with constants around height and width becomes the padding of the Conv, AveragePool or MaxPool behind it, where that
 * pads with the same number: Conv with 0, AveragePool with 0 when it counts padding, MaxPool with less than any element.
 */
import type { Node } from '../graph/node.ts';
import { doubles, handOver } from './edit.ts';
import type { Facts } from '../graph/facts.ts';
import { nodePass } from './pass.ts';
import { integersOf } from '../graph/shapes/size.ts';

export const padFold = nodePass(
  'pad-fold',
  'Pad is folded into the padding of the Conv, AveragePool or MaxPool behind it where that is exact',
  (pad, { opset, facts }, context) => {
    if (!pad.is('Pad')) return false;
    const accepts = (reader: Node): boolean => reader.is('Conv', 'AveragePool', 'MaxPool');
    return handOver(pad, accepts, (readers) => fold(pad, readers, opset, facts), context);
  },
);

/** What stands around each axis of space. */
interface Border {
  /** Before each axis, then behind each, as the attribute `pads` of a layer has it. */
  readonly pads: readonly number[];
  readonly value: number;
}

/** Folds into every reader, or returns the reason why one of them cannot take it, having changed nothing. */
function fold(node: Node, readers: readonly Node[], opset: number, facts: Facts): string | undefined {
  const x = node.input(0)!;
  const border = borderOf(node, readers, opset, facts);
  if (typeof border === 'string') return border;
  const merged: number[][] = [];
  for (const reader of readers) {
    const pads = mergedPads(reader, border, opset);
    const reason =
      typeof pads === 'string' ? pads : reader.is('Conv') ? ofConv(border) : ofPool(node, reader, border, pads);
    if (typeof pads === 'string' || reason !== undefined) return reason;
    merged.push(pads);
  }
  readers.forEach((reader, i) => {
    reader.setInts('pads', merged[i]!);
    reader.attributes.delete('auto_pad');
    if (reader.is('AveragePool')) reader.setInt('count_include_pad', 1);
    reader.setInput(0, x);
  });
  node.graph!.remove(node);
  return undefined;
}

/** Pads and value: attributes before opset 11, inputs since; since 18 the axes may be listed. */
function borderOf(node: Node, readers: readonly Node[], opset: number, facts: Facts): Border | string {
  const mode = node.string('mode', 'constant');
  if (mode !== 'constant') return `it pads by '${mode}'`;
  const sizes = node.ints('paddings') ?? integersOf(node, 'pads', 1);
  if (!sizes) return 'its pads are not constant';
  const rank = facts.of(node.input(0)).rank ?? readers.find((reader) => reader.is('Conv'))?.input(1)?.dims?.length;
  const axes = node.input(3) ? integersOf(node, '', 3) : sizes.slice(sizes.length / 2).map((_, i) => i);
  if (!axes) return 'its axes are not constant';
  const full = rank ?? (node.input(3) ? undefined : axes.length);
  if (full === undefined) return `the rank of '${node.input(0)!.name}' is not known`;
  const pads = Array.from({ length: 2 * full }, () => 0);
  axes.forEach((axis, i) => {
    const place = axis < 0 ? axis + full : axis;
    pads[place] = sizes[i]!;
    pads[place + full] = sizes[i + axes.length]!;
  });
  if (pads.some((size) => size < 0)) return 'it crops (a pad is negative)';
  if (pads[0] || pads[1] || pads[full] || pads[full + 1]) return 'it pads batches or channels';
  const space = [...pads.slice(2, full), ...pads.slice(full + 2)];
  const value = valueOf(node, opset);
  return value === undefined ? 'the value with which it pads is not constant' : { pads: space, value };
}

function valueOf(node: Node, opset: number): number | undefined {
  if (opset < 11) return node.float('value', 0);
  if (!node.input(2)) return 0;
  const constant = node.constant(2);
  return constant && doubles(constant)[0];
}

function mergedPads(reader: Node, { pads }: Border, opset: number): number[] | string {
  const mode = reader.string('auto_pad', 'NOTSET');
  if (mode !== 'NOTSET' && mode !== 'VALID') return `'${reader.label}' pads by itself (auto_pad = ${mode})`;
  const own = (mode === 'NOTSET' ? reader.ints('pads') : undefined) ?? pads.map(() => 0);
  if (own.length !== pads.length) return `'${reader.label}' pads ${own.length / 2} axes, not ${pads.length / 2}`;
  const counted = reader.int('count_include_pad', 0) !== 0;
  if (reader.is('AveragePool')) {
    if (opset < 7) return `opset ${opset} has no AveragePool that counts padding`;
    if (!counted && own.some((size) => size !== 0)) return `'${reader.label}' has padding that it does not count`;
  }
  return own.map((size, i) => size + pads[i]!);
}

function ofConv({ value }: Border): string | undefined {
  return value === 0 ? undefined : `it pads with ${value}, not 0`;
}

function ofPool(node: Node, pool: Node, { value }: Border, pads: readonly number[]): string | undefined {
  if (pool.int('ceil_mode', 0) !== 0) return `'${pool.label}' rounds its size up (ceil_mode = 1), padding included`;
  if (pool.ints('dilations')?.some((step) => step !== 1))
    return `'${pool.label}' has gaps (dilations), where borders differ`;
  const kernel = pool.ints('kernel_shape') ?? [];
  if (pads.some((size, i) => size >= (kernel[i % kernel.length] ?? 0))) {
    return `'${pool.label}' takes only padding that is smaller than its kernel`;
  }
  if (pool.is('AveragePool')) return value === 0 ? undefined : `it pads with ${value}, not 0`;
  if (pool.output(1)) return `'${pool.label}' gives indices, which count the padding`;
  if (value === -Infinity) return undefined;
  // The largest of a window is an element of x wherever no element is smaller than the border.
  if (value === 0 && node.input(0)!.producer?.is('Relu', 'Sigmoid')) return undefined;
  return `it pads with ${value}, which may be larger than the elements that '${pool.label}' compares it with`;
}
