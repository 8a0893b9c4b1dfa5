/**
 * Operators that give the same elements other dimensions or another order, and Concat, which joins tensors. Where elements only move, codes,
 * scale and zero point stay, and so do gradients.
 */
import { dyOf, give, staticDims, wrapAxis, type GradientContext } from './gradient/context.ts';
import { follow, type OpSpec, sharesCodes } from './op.ts';
import type { Value } from '../graph/value.ts';

export const reshape: OpSpec = {
  types: ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'],
  quantize: sharesCodes,
  gradient(context: GradientContext) {
    give(context, 0, (x) => context.emit.reshape(dyOf(context), staticDims(x)));
  },
};

export const transpose: OpSpec = {
  types: ['Transpose'],
  quantize: sharesCodes,
  gradient(context: GradientContext) {
    const { node, emit } = context;
    give(context, 0, (x) => {
      const rank = staticDims(x).length;
      const perm = node.ints('perm') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
      return emit.transpose(
        dyOf(context),
        perm.map((_, axis) => perm.indexOf(axis)),
      );
    });
  },
};

/** Blocks of channels ⇄ blocks of pixels: each is the inverse of the other, if they agree on the order of channels. */
export const depthToSpace: OpSpec = {
  types: ['DepthToSpace'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const blocksize = node.int('blocksize', 1);
    give(context, 0, (x): Value => {
      if (node.string('mode', 'DCR') === 'DCR') return emit.op('SpaceToDepth', [dyOf(context)], { blocksize });
      const [n, channels, height, width] = staticDims(x) as [number, number, number, number];
      const depth = channels / blocksize ** 2;
      const blocks = emit.reshape(dyOf(context), [n, depth, height, blocksize, width, blocksize]);
      return emit.reshape(emit.transpose(blocks, [0, 1, 3, 5, 2, 4]), [n, channels, height, width]);
    });
  },
};

export const spaceToDepth: OpSpec = {
  types: ['SpaceToDepth'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    give(context, 0, () => emit.op('DepthToSpace', [dyOf(context)], { blocksize: node.int('blocksize', 1) }));
  },
};

/** Concat: each input keeps its own scale; the int8 kernel rescales. A common scale would cost accuracy and block Relu. */
export const concat: OpSpec = {
  types: ['Concat'],
  quantize: (node) => follow({ kind: 'observe' }, [...node.inputs.keys()]),
  gradient(context) {
    const { node, emit } = context;
    const axis = wrapAxis(node.int('axis', 0), staticDims(node.output()!).length);
    let start = 0;
    for (const [index, input] of node.inputs.entries()) {
      const from = start;
      start += staticDims(input!)[axis]!;
      const end = start;
      give(context, index, () =>
        node.inputs.length === 1 ? dyOf(context) : emit.slice(dyOf(context), [axis], [from], [end]),
      );
    }
  },
};
