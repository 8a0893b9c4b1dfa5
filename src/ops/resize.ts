/** Resize and its ancestor. */
import type { Node } from '../graph/node.ts';
import { dyOf, give, staticDims, type GradientContext } from './gradient/context.ts';
import { follow, type OpSpec } from './op.ts';

/** Nearest picks values and linear stays between them; cubic overshoots its input range. */
function quantize(node: Node): ReturnType<NonNullable<OpSpec['quantize']>> {
  const mode = node.string('mode', 'nearest');
  return follow(mode === 'cubic' ? { kind: 'observe' } : { kind: 'share', input: 0 }, [0]);
}

export const resize: OpSpec = {
  types: ['Resize'],
  quantize,
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

/** Only in operator sets before 10; an upgrade makes it a Resize. */
export const upsample: OpSpec = { types: ['Upsample'], quantize };
