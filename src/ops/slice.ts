/** Operators that cut: Slice, Split, Pad, and their gradients, which put zeros where something was left out. */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { dyOf, give, staticDims, wrapAxis, type GradientContext } from './gradient/context.ts';
import { follow, sharesCodes, type OpSpec } from './op.ts';

interface Cut {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** Whole numbers of an input, those that mean "to the end" cut down to what a number holds. */
function indices(node: Node, index: number): number[] | undefined {
  const content = node.constant(index)?.data() as Iterable<number | bigint> | undefined;
  return content && Array.from(content, (value) => Math.max(-(2 ** 52), Math.min(2 ** 52, Number(value))));
}

/** What is cut from each listed axis, with ends clamped as the operator does; or why that is not known. */
function cutsOf(node: Node, dims: readonly number[], result: readonly number[]): Cut[] | string {
  const lists = [1, 2, 3, 4].map((index) => (node.input(index) ? indices(node, index) : undefined));
  const open = [1, 2, 3, 4].find((index) => node.input(index) && !lists[index - 1]);
  if (open !== undefined) return 'where it cuts is computed at run time';
  const [starts, , axes = starts!.map((_, i) => i), steps = starts!.map(() => 1)] = lists;
  return starts!.map((given, i) => {
    const axis = wrapAxis(axes[i]!, dims.length);
    const [size, step] = [dims[axis]!, steps[i]!];
    const wrapped = given < 0 ? given + size : given;
    const start = Math.min(Math.max(wrapped, 0), step < 0 ? size - 1 : size);
    return { axis, start, step, count: result[axis]! };
  });
}

export const slice: OpSpec = {
  types: ['Slice'],
  quantize: sharesCodes,
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const x = node.input(0)!;
    const dims = staticDims(x);
    const result = staticDims(node.output()!);
    const cuts = cutsOf(node, dims, result);
    if (typeof cuts === 'string') return cuts;
    give(context, 0, () => {
      let gradient = dyOf(context);
      const shape = [...result];
      const turned = cuts.filter(({ step, count }) => step < 0 && count > 1).map(({ axis }) => axis);
      if (turned.length > 0) gradient = reversed(context, gradient, turned);
      const pads = dims.map(() => [0, 0]);
      for (const { axis, start, step, count } of cuts) {
        if (count === 0) continue;
        const stride = Math.abs(step);
        if (stride > 1 && count > 1) gradient = spread(context, gradient, shape, axis, stride);
        const first = step < 0 ? start - (count - 1) * stride : start;
        pads[axis] = [first, dims[axis]! - first - shape[axis]!];
      }
      if (result.includes(0)) return emit.op('ConstantOfShape', [emit.ints(dims)]);
      return emit.pad(gradient, [...pads.map(([before]) => before!), ...pads.map(([, after]) => after!)]);
    });
    return undefined;
  },
};

function reversed({ emit }: GradientContext, value: Value, axes: readonly number[]): Value {
  const [last, beyond] = [axes.map(() => -1), axes.map(() => -(2 ** 31))];
  return emit.slice(value, axes, last, beyond, last);
}

/** Zeros between the elements of an axis: a new axis behind it is padded and merged into it. Changes `shape`. */
function spread({ emit }: GradientContext, value: Value, shape: number[], axis: number, stride: number): Value {
  const count = shape[axis]!;
  const apart = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
  const pads = apart.map((_, i) => (i === axis + 1 ? stride - 1 : 0));
  const padded = emit.pad(emit.reshape(value, apart), [...apart.map(() => 0), ...pads]);
  shape[axis] = count * stride;
  const merged = emit.reshape(padded, shape);
  shape[axis] = (count - 1) * stride + 1;
  return emit.slice(merged, [axis], [0], [shape[axis]!]);
}

export const split: OpSpec = {
  types: ['Split'],
  quantize: sharesCodes,
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const x = node.input(0)!;
    const axis = wrapAxis(node.int('axis', 0), staticDims(x).length);
    give(context, 0, () => {
      const parts = node.outputs.flatMap((output, index) => {
        if (!output) return [];
        return [context.gradient(index) ?? emit.op('ConstantOfShape', [emit.ints(staticDims(output))])];
      });
      return parts.length === 1 ? parts[0]! : emit.op('Concat', parts, { axis });
    });
  },
};

/** Zero is exactly representable in every scheme; any other fill value may not be. */
export const pad: OpSpec = {
  types: ['Pad'],
  quantize(node: Node) {
    if (node.string('mode', 'constant') === 'constant') {
      const fill = node.input(2) ? node.constant(2)?.floats()[0] : node.float('value', 0);
      if (fill !== 0) return 'it pads with a value other than a constant 0';
    }
    return follow({ kind: 'share', input: 0 }, [0]);
  },
  moveCodes: { since: 13, apply: (node, zero) => node.setInput(2, zero) },
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const dims = staticDims(node.input(0)!);
    const rank = dims.length;
    const mode = node.string('mode', 'constant');
    const listed = node.constant(1)?.ints();
    const axes = node.input(3)
      ? node
          .constant(3)
          ?.ints()
          .map((axis) => wrapAxis(axis, rank))
      : dims.map((_, axis) => axis);
    if (!listed || !axes) return 'its pads are computed at run time';
    const result = staticDims(node.output()!);
    const before = dims.map((_, axis) => listed[axes.indexOf(axis)] ?? 0);
    const after = dims.map((_, axis) => listed[axes.length + axes.indexOf(axis)] ?? 0);
    if (axes.length < rank) for (const axis of dims.keys()) if (!axes.includes(axis)) before[axis] = after[axis] = 0;
    if (mode !== 'constant') {
      give(context, 0, () => {
        return axes.reduce(
          (value, axis) =>
            fold(context, value, { axis, mode, before: before[axis]!, size: dims[axis]!, result: result[axis]! }, dims),
          dyOf(context),
        );
      });
      return undefined;
    }
    give(context, 0, () => {
      // Negative pads cut: what was cut has no gradient.
      const inner = emit.slice(
        dyOf(context),
        dims.map((_, axis) => axis),
        before.map((pad) => Math.max(0, pad)),
        result.map((size, axis) => size - Math.max(0, after[axis]!)),
      );
      return emit.pad(
        inner,
        [...before, ...after].map((pad) => Math.max(0, -pad)),
      );
    });
    give(context, 2, () => {
      const inside = emit.op('Pad', [
        emit.op('Expand', [emit.scalar(0), emit.ints(dims)]),
        node.input(1)!,
        emit.scalar(1),
        ...(node.input(3) ? [node.input(3)!] : []),
      ]);
      return emit.op('ReduceSum', [emit.op('Mul', [dyOf(context), inside])], { keepdims: 0 });
    });
    return undefined;
  },
};

interface Border {
  readonly axis: number;
  readonly mode: string;
  readonly before: number;
  readonly size: number;
  readonly result: number;
}

/** Adds what stands in the border of one axis to the elements it was copied from: a product with a matrix of zeros and ones. */
function fold(
  { emit }: GradientContext,
  value: Value,
  { axis, mode, before, size, result }: Border,
  dims: readonly number[],
): Value {
  if (size === result && before === 0) return value;
  const matrix = new Float32Array(size * result);
  for (let i = 0; i < result; i++) matrix[sourceOf(i - before, size, mode) * result + i] = 1;
  return emit.along(value, axis, dims.length, emit.floats([size, result], matrix));
}

/** The position that a border position copies. */
function sourceOf(position: number, size: number, mode: string): number {
  if (mode === 'edge') return Math.min(Math.max(position, 0), size - 1);
  if (mode === 'wrap') return ((position % size) + size) % size;
  const period = Math.max(1, 2 * (size - 1));
  const phase = ((position % period) + period) % period;
  return phase < size ? phase : period - phase;
}
