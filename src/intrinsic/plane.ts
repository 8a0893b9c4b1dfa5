/**
 * The spatial size of a tensor [N, C, ...plane], as far as it follows from declared inputs and the operators between. Batch and
 * channels are nobody's concern here, so that a symbolic batch does not stand in the way; what it cannot tell is undefined.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { integersOf } from '../graph/shapes/size.ts';
import { own } from '../graph/names.ts';

type Plane = readonly number[];

/** The plane of a node's first output, given those of its inputs. */
type Rule = (node: Node, input: (index: number) => Plane | undefined) => Plane | undefined;

export function createPlanes(): (value: Value) => Plane | undefined {
  const found = new Map<Value, Plane | undefined>();
  return (value) => {
    // With a stack of its own: real graphs are deeper than the call stack.
    const stack = [value];
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const declared = declaredPlane(top);
      const node = top.producer;
      const rule = !declared && node?.domain === '' && node.outputs[0] === top ? own(rules, node.opType) : undefined;
      const open = rule ? node!.inputs.filter((input) => input && !found.has(input)) : [];
      if (open.length > 0) {
        for (const input of open) stack.push(input!);
        continue;
      }
      found.set(top, declared ?? rule?.(node!, (index) => found.get(node!.input(index)!)));
      stack.pop();
    }
    return found.get(value);
  };
}

function declaredPlane({ dims }: Value): Plane | undefined {
  const plane = dims?.slice(2);
  return plane && plane.length > 0 && plane.every((size) => typeof size === 'number') ? (plane as number[]) : undefined;
}

const alike: Rule = (_, input) => input(0);

/** Of equal planes; a constant of lower rank, or of size 1, is spread over the others. */
const broadcast: Rule = (node, input) => {
  const planes: Plane[] = [];
  for (const [index, value] of node.inputs.entries()) {
    const plane = input(index);
    if (plane) planes.push(plane);
    else if (!value?.isConstant || (value.constant!.dims.length > 2 && value.constant!.size > 1)) return undefined;
  }
  const wide = planes.filter((plane) => plane.some((size) => size !== 1));
  const [first = planes[0]] = wide;
  return wide.every((plane) => String(plane) === String(first)) ? first : undefined;
};

const joined: Rule = (node, input) => (node.int('axis', 0) === 1 ? input(0) : undefined);

/** Conv and the pools: a window that slides. */
const windowed: Rule = (node, input) => {
  const plane = input(0);
  const kernel = node.ints('kernel_shape') ?? node.input(1)?.constant?.dims.slice(2);
  if (!plane || plane.length !== kernel?.length || node.int('ceil_mode', 0) !== 0) return undefined;
  const ones = plane.map(() => 1);
  const [strides, dilations] = [node.ints('strides') ?? ones, node.ints('dilations') ?? ones];
  const automatic = node.string('auto_pad', 'NOTSET');
  if (automatic.startsWith('SAME')) return plane.map((size, axis) => Math.ceil(size / strides[axis]!));
  const pads = (automatic === 'NOTSET' || automatic === '' ? node.ints('pads') : undefined) ?? [];
  return plane.map((size, axis) => {
    const padded = size + (pads[axis] ?? 0) + (pads[axis + plane.length] ?? 0);
    return Math.floor((padded - (kernel[axis]! - 1) * dilations[axis]! - 1) / strides[axis]!) + 1;
  });
};

const padded: Rule = (node, input) => {
  const plane = input(0);
  const pads = integersOf(node, 'pads', 1);
  // Axes of its own since opset 18.
  if (!plane || pads?.length !== 2 * (plane.length + 2) || node.input(3)) return undefined;
  return plane.map((size, axis) => size + pads[axis + 2]! + pads[axis + 4 + plane.length]!);
};

const sliced: Rule = (node, input) => {
  const plane = input(0);
  const [starts, ends] = [integersOf(node, 'starts', 1), integersOf(node, 'ends', 2)];
  if (!plane || !starts || !ends) return undefined;
  const axes = integersOf(node, 'axes', 3) ?? (node.input(3) ? undefined : starts.map((_, axis) => axis));
  const steps = integersOf(node, 'steps', 4) ?? (node.input(4) ? undefined : starts.map(() => 1));
  if (!axes || !steps) return undefined;
  const rank = plane.length + 2;
  const result = [...plane];
  for (const [i, given] of axes.entries()) {
    const axis = (given < 0 ? given + rank : given) - 2;
    if (axis < 0) continue;
    const [size, step] = [plane[axis]!, steps[i]!];
    if (step < 1) return undefined;
    const place = (at: number): number => Math.min(size, Math.max(0, at < 0 ? at + size : at));
    result[axis] = Math.max(0, Math.ceil((place(ends[i]!) - place(starts[i]!)) / step));
  }
  return result;
};

const rules: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    [
      ...[
        'Relu',
        'Clip',
        'LeakyRelu',
        'PRelu',
        'Elu',
        'Selu',
        'Sigmoid',
        'HardSigmoid',
        'HardSwish',
        'Tanh',
        'Mish',
        'Gelu',
      ],
      ...[
        'Softplus',
        'BatchNormalization',
        'InstanceNormalization',
        'Identity',
        'Dropout',
        'Cast',
        'Neg',
        'Abs',
        'Exp',
        'Sqrt',
      ],
    ].map((op) => [op, alike]),
  ),
  ...Object.fromEntries(['Add', 'Sub', 'Mul', 'Div', 'Sum', 'Max', 'Min'].map((op) => [op, broadcast])),
  ...Object.fromEntries(['Conv', 'MaxPool', 'AveragePool', 'LpPool'].map((op) => [op, windowed])),
  Concat: joined,
  Pad: padded,
  Slice: sliced,
};
