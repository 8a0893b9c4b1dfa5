/** Shapes of convolutions, pools and what else treats axes as space. */
import { compute, ofRank, table, type Known, type Shape, type ShapeRule } from './rule.ts';
import type { Size } from './size.ts';

const convolution: ShapeRule = (known) => {
  const [x, w] = [known.dims(0), known.dims(1)];
  const rank = w?.length ?? x?.length;
  if (rank === undefined) return undefined;
  const kernel = known.node.ints('kernel_shape') ?? w?.slice(2);
  return [x?.[0], w?.[0], ...slide(known, x, kernel, rank - 2)];
};

const pool: ShapeRule = (known) => {
  const x = known.dims(0);
  return x && [x[0], x[1], ...slide(known, x, known.node.ints('kernel_shape'), x.length - 2)];
};

/** How often a window fits along each axis. */
function slide(
  { node }: Known,
  x: readonly Size[] | undefined,
  kernel: readonly Size[] | undefined,
  rank: number,
): Shape {
  const all = (name: string): number[] =>
    node.ints(name) ?? Array.from({ length: 2 * rank }, () => (name === 'pads' ? 0 : 1));
  const [pads, strides, dilations] = [all('pads'), all('strides'), all('dilations')];
  const auto = node.string('auto_pad', 'NOTSET');
  return Array.from({ length: rank }, (_, i) =>
    compute([x?.[i + 2], kernel?.[i]], (length, window) => {
      const stride = strides[i]!;
      if (auto.startsWith('SAME')) return Math.ceil(length / stride);
      const reach = dilations[i]! * (window - 1) + 1;
      const padding = auto === 'VALID' ? 0 : pads[i]! + pads[i + rank]!;
      const steps = (length + padding - reach) / stride;
      if (node.int('ceil_mode', 0) === 0) return Math.floor(steps) + 1;
      // A window that would begin in the padding behind is none.
      const count = Math.ceil(steps) + 1;
      return (count - 1) * stride >= length + pads[i]! ? count - 1 : count;
    }),
  );
}

const transposed: ShapeRule = ({ node, dims }) => {
  const [x, w] = [dims(0), dims(1)];
  const rank = w?.length ?? x?.length;
  if (rank === undefined) return undefined;
  const spatial = rank - 2;
  const given = node.ints('output_shape')?.slice(-spatial);
  const all = (name: string, usual: number): number[] =>
    node.ints(name) ?? Array.from({ length: 2 * spatial }, () => usual);
  const [pads, strides, dilations, more] = [
    all('pads', 0),
    all('strides', 1),
    all('dilations', 1),
    all('output_padding', 0),
  ];
  const auto = node.string('auto_pad', 'NOTSET');
  const sizes = Array.from({ length: spatial }, (_, i) =>
    compute([x?.[i + 2], (node.ints('kernel_shape') ?? w?.slice(2))?.[i]], (length, window) => {
      if (auto.startsWith('SAME')) return length * strides[i]!;
      const whole = (length - 1) * strides[i]! + more[i]! + dilations[i]! * (window - 1) + 1;
      return auto === 'VALID' ? whole : whole - pads[i]! - pads[i + spatial]!;
    }),
  );
  const channels = compute([w?.[1]], (count) => count * node.int('group', 1));
  return [x?.[0], channels, ...(given ?? sizes)];
};

const global: ShapeRule = ({ dims }) => dims(0)?.map((size, axis) => (axis < 2 ? size : 1));

/** Sizes by input since opset 10; scales are floats, and sizes are rounded down. */
const resize: ShapeRule = ({ node, dims, vector }) => {
  const x = dims(0);
  if (!x) return undefined;
  const policy = node.string('keep_aspect_ratio_policy', 'stretch') !== 'stretch' || node.attributes.has('axes');
  if (policy) return ofRank(x.length);
  if (node.input(3)) return vector(3)?.elements ?? ofRank(x.length);
  const tensor = node.constant(node.is('Upsample') || node.inputs.length < 3 ? 1 : 2);
  const given = node.attributes.get('scales');
  const scales = given?.kind === 'floats' ? given.value : tensor?.floats();
  if (scales?.length !== x.length) return ofRank(x.length);
  return x.map((size, axis) =>
    scales[axis] === 1 ? size : compute([size], (length) => Math.floor(length * scales[axis]!)),
  );
};

/** Channels to space, or back. */
const blocks =
  (toSpace: boolean): ShapeRule =>
  ({ node, dims }) => {
    const x = dims(0);
    const b = node.int('blocksize', 1);
    if (x?.length !== 4) return undefined;
    const space = (size: Size): number | undefined => compute([size], (n) => (toSpace ? n * b : Math.floor(n / b)));
    return [x[0], compute([x[1]], (n) => (toSpace ? n / (b * b) : n * b * b)), space(x[2]!), space(x[3]!)];
  };

const gridSample: ShapeRule = ({ dims }) => {
  const [x, grid] = [dims(0), dims(1)];
  return x && [x[0], x[1], ...(grid?.slice(1, -1) ?? x.slice(2).map(() => undefined))];
};

export const windows = table([
  [convolution, 'Conv ConvInteger'],
  [transposed, 'ConvTranspose'],
  [pool, 'MaxPool AveragePool LpPool'],
  [global, 'GlobalAveragePool GlobalMaxPool GlobalLpPool'],
  [resize, 'Resize Upsample'],
  [blocks(true), 'DepthToSpace'],
  [blocks(false), 'SpaceToDepth'],
  [gridSample, 'GridSample'],
]);
