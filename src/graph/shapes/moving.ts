/** Shapes of operators that move, repeat or pick elements. */
import { axisOf, broadcastShapes, compute, first, ofRank, table, type Shape, type ShapeRule } from './rule.ts';
import type { Size } from './size.ts';

const reshape: ShapeRule = ({ node, dims, vector, ints }) => {
  const x = dims(0);
  const target = ints('shape', 1) ?? vector(1)?.elements;
  if (!target) return undefined;
  const zero = node.int('allowzero', 0) !== 0;
  const sizes = target.map((size, axis) => (size === 0 && !zero ? x?.[axis] : size === -1 ? undefined : size));
  const open = target.indexOf(-1);
  if (open < 0) return sizes;
  return sizes.with(open, x && quotient(x, sizes.toSpliced(open, 1)));
};

/** What is left of the sizes above when those below are divided out: equal run-time sizes cancel, the rest must be numbers. */
function quotient(above: readonly Size[], below: readonly (Size | undefined)[]): Size | undefined {
  const left: (Size | undefined)[] = [...above];
  const rest: (Size | undefined)[] = [];
  for (const size of below) {
    const at = typeof size === 'number' ? -1 : left.indexOf(size);
    if (at < 0) rest.push(size);
    else left.splice(at, 1);
  }
  const divisor = compute(rest, (...numbers) => numbers.reduce((a, b) => a * b, 1));
  if (divisor === undefined || divisor === 0) return undefined;
  const open = left.filter((size) => typeof size !== 'number');
  const known = left.reduce<number>((a, size) => (typeof size === 'number' ? a * size : a), 1);
  if (open.length === 0) return known / divisor;
  return open.length === 1 && known === divisor ? open[0] : undefined;
}

const flatten: ShapeRule = ({ node, dims }) => {
  const x = dims(0);
  if (!x) return [undefined, undefined];
  const axis = node.int('axis', 1);
  const at = axis < 0 ? axis + x.length : axis;
  const size = (sizes: readonly Size[]): Size | undefined => quotient(sizes, []);
  return [size(x.slice(0, at)), size(x.slice(at))];
};

const transpose: ShapeRule = ({ node, dims }) => {
  const x = dims(0);
  const perm = node.ints('perm');
  return perm ? (x ? perm.map((axis) => x[axis]) : ofRank(perm.length)) : x?.toReversed();
};

const expand: ShapeRule = ({ dims, vector }) => {
  const target = vector(1)?.elements;
  return broadcastShapes([dims(0), target]);
};

const concat: ShapeRule = ({ node, dims }) => {
  const parts = node.inputs.map((_, index) => dims(index));
  const known = parts.find((part) => part !== undefined);
  const axis = known && axisOf(node.int('axis', 1), known.length);
  if (axis === undefined) return known;
  const sum = compute(
    parts.map((part) => part?.[axis]),
    (...sizes) => sizes.reduce((a, b) => a + b, 0),
  );
  return known!.map((size, i) => {
    if (i === axis) return parts.length === 1 ? size : sum;
    return parts.map((part) => part?.[i]).find((each) => typeof each === 'number') ?? size;
  });
};

const split: ShapeRule = ({ node, output, dims, ints }) => {
  const x = dims(0);
  const axis = x && axisOf(node.int('axis', 0), x.length);
  if (axis === undefined) return x;
  const given = node.attributes.has('split') || node.input(1) !== undefined;
  const count = node.int('num_outputs') ?? node.outputs.length;
  const size = given
    ? ints('split', 1)?.[output]
    : compute([x![axis]], (length) => {
        const part = Math.ceil(length / count);
        return output < count - 1 ? part : length - part * (count - 1);
      });
  return x!.map((each, i) => (i === axis ? size : each));
};

/** Bounds: attributes before opset 10, inputs since. */
const slice: ShapeRule = ({ node, dims, ints }) => {
  const x = dims(0);
  if (!x) return undefined;
  const [starts, ends] = [ints('starts', 1), ints('ends', 2)];
  const hasAxes = node.attributes.has('axes') || node.input(3) !== undefined;
  const axes = (hasAxes ? ints('axes', 3) : (starts ?? ends)?.map((_, i) => i))?.map((axis) => axisOf(axis, x.length));
  const steps = node.input(4) ? ints('', 4) : axes?.map(() => 1);
  if (!axes || axes.includes(undefined)) return ofRank(x.length);
  return x.map((size, axis) => {
    const at = axes.indexOf(axis);
    if (at < 0) return size;
    const [start, end, step] = [starts?.[at], ends?.[at], steps?.[at]];
    if (start === undefined || end === undefined || step === undefined) return undefined;
    if (start === 0 && step === 1 && end >= 2 ** 31 - 1) return size;
    return compute([size], (length) => sliced(length, start, end, step));
  });
};

function sliced(length: number, start: number, end: number, step: number): number {
  const clamp = (bound: number, low: number, high: number): number =>
    Math.min(Math.max(bound < 0 ? bound + length : bound, low), high);
  if (step > 0) return Math.max(0, Math.ceil((clamp(end, 0, length) - clamp(start, 0, length)) / step));
  return Math.max(0, Math.ceil((clamp(end, -1, length - 1) - clamp(start, 0, length - 1)) / step));
}

const pad: ShapeRule = ({ node, dims, ints }) => {
  const x = dims(0);
  const pads = node.ints('paddings') ?? ints('pads', 1);
  if (!x || !pads) return ofRank(x?.length);
  const axes = node.input(3) ? ints('', 3)?.map((axis) => axisOf(axis, x.length)) : x.map((_, axis) => axis);
  if (!axes) return ofRank(x.length);
  return x.map((size, axis) => {
    const at = axes.indexOf(axis);
    const added = at < 0 ? 0 : pads[at]! + pads[at + axes.length]!;
    return added === 0 ? size : compute([size], (length) => length + added);
  });
};

const gather: ShapeRule = ({ node, dims }) => {
  const [data, indices] = [dims(0), dims(1)];
  const axis = data && axisOf(node.int('axis', 0), data.length);
  if (axis === undefined || !indices) return undefined;
  return [...data!.slice(0, axis), ...indices, ...data!.slice(axis + 1)];
};

const gatherNd: ShapeRule = ({ node, dims }) => {
  const [data, indices] = [dims(0), dims(1)];
  const last = indices?.at(-1);
  if (!data || typeof last !== 'number') return undefined;
  return [...indices!.slice(0, -1), ...data.slice(node.int('batch_dims', 0) + last)];
};

const second: ShapeRule = ({ dims }) => dims(1);

const unsqueeze: ShapeRule = ({ dims, ints }) => {
  const x = dims(0);
  const axes = ints('axes', 1);
  if (!x || !axes) return undefined;
  const rank = x.length + axes.length;
  const added = new Set(axes.map((axis) => axisOf(axis, rank)));
  const rest = [...x];
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : rest.shift()));
};

const squeeze: ShapeRule = ({ node, dims, ints }) => {
  const x = dims(0);
  if (!x) return undefined;
  if (!node.attributes.has('axes') && !node.input(1)) {
    return x.every((size) => typeof size === 'number') ? x.filter((size) => size !== 1) : undefined;
  }
  const axes = ints('axes', 1)?.map((axis) => axisOf(axis, x.length));
  return axes && x.filter((_, axis) => !axes.includes(axis));
};

const tile: ShapeRule = ({ dims, vector }) => {
  const x = dims(0);
  const repeats = vector(1)?.elements;
  return x?.map((size, axis) => (repeats?.[axis] === 1 ? size : compute([size, repeats?.[axis]], (a, b) => a * b)));
};

const shape: ShapeRule = ({ node, dims }) => {
  const rank = dims(0)?.length;
  const all = rank === undefined ? undefined : Array.from({ length: rank }, (_, i) => i);
  return [all?.slice(node.int('start', 0), node.int('end')).length];
};

const constantOfShape: ShapeRule = ({ vector }): Shape | undefined => vector(0)?.elements;

const range: ShapeRule = ({ vector }) => {
  const [start, limit, step] = [0, 1, 2].map((index) => vector(index)?.elements[0]);
  if (start === 0 && step === 1) return [limit];
  return [compute([start, limit, step], (from, to, by) => Math.max(0, Math.ceil((to - from) / by)))];
};

export const moving = table([
  [first, 'ReverseSequence Trilu ScatterElements ScatterND Scatter EyeLike RandomNormalLike RandomUniformLike'],
  [reshape, 'Reshape'],
  [flatten, 'Flatten'],
  [transpose, 'Transpose'],
  [expand, 'Expand'],
  [concat, 'Concat'],
  [split, 'Split'],
  [slice, 'Slice'],
  [pad, 'Pad'],
  [gather, 'Gather'],
  [gatherNd, 'GatherND'],
  [second, 'GatherElements'],
  [unsqueeze, 'Unsqueeze'],
  [squeeze, 'Squeeze'],
  [tile, 'Tile'],
  [shape, 'Shape'],
  [() => [], 'Size'],
  [({ dims }) => [dims(0)?.length, undefined], 'NonZero'],
  [() => [undefined, 3], 'NonMaxSuppression'],
  [constantOfShape, 'ConstantOfShape'],
  [range, 'Range'],
]);
