/** Pools and resizing: operators that sample an image anew along its spatial axes. */
import type { Node } from '../graph/node.ts';
import { dyOf, give, staticDims, type GradientContext } from './gradient/context.ts';
import { follow, type OpSpec } from './op.ts';
import type { Value } from '../graph/value.ts';
import { elementCount } from '../onnx/data-types.ts';
import { windowsOf, type Windows } from './gradient/convolution.ts';

/** MaxPool: the maximum of codes is the code of the maximum. */
export const maxPool: OpSpec = {
  types: ['MaxPool'],
  quantize: (node) => (node.output(1) ? 'its Indices output is used' : follow({ kind: 'share', input: 0 }, [0])),
  /** Each window's gradient goes to the element that its Indices name: the first of equal ones, as in PyTorch. */
  gradient(context: GradientContext) {
    const { node, emit } = context;
    if (node.int('storage_order', 0) !== 0) return 'it counts in column-major order (storage_order = 1)';
    give(context, 0, (x) => {
      const dims = staticDims(x);
      let indices = node.output(1);
      if (!indices) node.setOutput(1, (indices = node.graph!.addValue(`${node.label}_indices`)));
      // Indices count through the whole tensor.
      const zeros = emit.op('ConstantOfShape', [emit.ints([elementCount(dims)])]);
      const [places, values] = [indices, dyOf(context)].map((each) => emit.reshape(each, [-1])) as [Value, Value];
      const sum = emit.op('ScatterElements', [zeros, places, values], { axis: 0, reduction: 'add' });
      return emit.reshape(sum, dims);
    });
    return undefined;
  },
};

/** An average has a narrower range than its input: a scale of its own keeps more of it. */
export const averagePool: OpSpec = {
  types: ['AveragePool'],
  quantize: () => follow({ kind: 'observe' }, [0]),
  /** Each pixel gets its share of every window it stands in: a transposed convolution with ones, channel by channel. */
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const y = staticDims(node.output()!);
    give(context, 0, (x) => {
      const [n, channels, ...image] = staticDims(x);
      const count = y.slice(2);
      const windows = windowsOf(node, image, count, node.ints('kernel_shape')!);
      const { kernel, strides, dilations, begins, ends } = windows;
      const shares = emit.floats(
        [1, 1, ...count],
        sharesOf(windows, node.int('count_include_pad', 0) === 1, node.ints('pads')),
      );
      const shared = emit.op('Mul', [dyOf(context), shares]);
      const spread = emit.op(
        'ConvTranspose',
        [
          emit.reshape(shared, [n! * channels!, 1, ...count]),
          emit.floats(
            [1, 1, ...kernel],
            kernel.reduce((k: number[], size) => Array.from({ length: k.length * size }, () => 1), [1]),
          ),
        ],
        {
          kernel_shape: kernel,
          strides,
          dilations,
          pads: [...begins, ...ends.map((pad) => Math.max(0, pad))],
          output_padding: ends.map((pad) => Math.max(0, -pad)),
        },
      );
      return emit.reshape(spread, [n!, channels!, ...image]);
    });
  },
};

/**
 * One over the number of elements that each window averages: with padding, all that stand on the image or on declared padding (a
 * last window of ceil_mode may reach beyond); without, those on the image.
 */
function sharesOf(windows: Windows, withPadding: boolean, pads: readonly number[] | undefined): Float32Array {
  const { image, count, kernel, strides, dilations, begins, ends } = windows;
  const perAxis = image.map((size, axis) => {
    const first = withPadding ? -begins[axis]! : 0;
    const declared = pads?.[image.length + axis] ?? Math.max(0, ends[axis]!);
    const last = withPadding ? size + declared : size;
    return Array.from({ length: count[axis]! }, (_, window) => {
      const start = window * strides[axis]! - begins[axis]!;
      const places = Array.from({ length: kernel[axis]! }, (_, k) => start + k * dilations[axis]!);
      return places.filter((place) => place >= first && place < last).length;
    });
  });
  const counts = perAxis.reduce((heads, sizes) => heads.flatMap((head) => sizes.map((size) => head * size)), [1]);
  return Float32Array.from(counts, (size) => 1 / size);
}

export const globalAveragePool: OpSpec = {
  types: ['GlobalAveragePool'],
  quantize: () => follow({ kind: 'observe' }, [0]),
  gradient(context: GradientContext) {
    const { emit } = context;
    give(context, 0, (x) => {
      const dims = staticDims(x);
      const share = emit.op('Mul', [dyOf(context), emit.scalar(1 / elementCount(dims.slice(2)))]);
      return emit.op('Expand', [share, emit.ints(dims)]);
    });
  },
};

/** Equal maxima share the gradient. */
export const globalMaxPool: OpSpec = {
  types: ['GlobalMaxPool'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    give(context, 0, (x) => {
      const axes = staticDims(x).flatMap((_, axis) => (axis >= 2 ? [axis] : []));
      const chosen = emit.op('Cast', [emit.op('Equal', [x, node.output()!])], { to: 1 });
      return emit.op('Mul', [chosen, emit.op('Div', [dyOf(context), emit.sum(chosen, axes, true)])]);
    });
  },
};

/** Tells how Resize is quantized: nearest picks values and linear stays between them; cubic overshoots its input range. */
function resizeRule(node: Node): ReturnType<NonNullable<OpSpec['quantize']>> {
  const mode = node.string('mode', 'nearest');
  return follow(mode === 'cubic' ? { kind: 'observe' } : { kind: 'share', input: 0 }, [0]);
}

/** Resize. */
export const resize: OpSpec = {
  types: ['Resize'],
  quantize: resizeRule,
  /** Each axis is mapped by a matrix of its own; the gradient takes the transposed ones. */
  gradient(context: GradientContext) {
    const { node, emit, maps } = context;
    if (typeof maps !== 'object') return 'its weights have not been read from onnxruntime (resizeMaps)';
    const rank = staticDims(node.input(0)!).length;
    give(context, 0, () => {
      return maps.reduce((value, { axis, from, to, matrix }) => {
        return emit.along(value, axis, rank, emit.transpose(emit.floats([to, from], matrix), [1, 0]));
      }, dyOf(context));
    });
    return undefined;
  },
};

/** Upsample exists only in operator sets before 10; an upgrade makes it a Resize. */
export const upsample: OpSpec = { types: ['Upsample'], quantize: resizeRule };
