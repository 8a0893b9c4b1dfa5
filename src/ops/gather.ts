/** Operators that repeat or pick values: Expand, Tile, Gather and its kin. Their gradients add up what was read. */
import type { Value } from '../graph/value.ts';
import { dyOf, give, giveBroadcast, staticDims, wrapAxis, type GradientContext } from './gradient/context.ts';
import { sharesCodes, type Operand, type OpSpec } from './op.ts';
import { noTable } from './embedding.ts';

export const expand: OpSpec = {
  types: ['Expand'],
  quantize: sharesCodes,
  gradient(context: GradientContext) {
    giveBroadcast(context, 0, () => dyOf(context));
  },
};

export const tile: OpSpec = {
  types: ['Tile'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    give(context, 0, (x) => {
      const dims = staticDims(x);
      const repeats = staticDims(node.output()!).map((size, axis) => (dims[axis] === 0 ? 1 : size / dims[axis]!));
      // Each axis becomes [repeats, size]; the sum runs over the repeats.
      const apart = emit.reshape(
        dyOf(context),
        dims.flatMap((size, axis) => [repeats[axis]!, size]),
      );
      return emit.sum(
        apart,
        dims.map((_, axis) => 2 * axis),
        false,
      );
    });
  },
};

function zeros({ emit }: GradientContext, dims: readonly number[]): Value {
  return emit.op('ConstantOfShape', [emit.ints(dims)]);
}

const table: Operand = { index: 0, role: 'weight', axis: 1, layout: 'table' };

/** Picks values of an activation, or rows of a constant table: embeddings, the larger part of many language models. */
export const gather: OpSpec = {
  types: ['Gather'],
  quantize(node) {
    if (!node.constant(0)) return sharesCodes();
    const reason = noTable(node);
    return reason ?? { kind: 'anchor', operands: [table], output: { kind: 'observe' }, floatOutput: true };
  },
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const indices = node.input(1)!;
    give(context, 0, (x) => {
      const dims = staticDims(x);
      const axis = wrapAxis(node.int('axis', 0), dims.length);
      const picked = staticDims(indices);
      // The picked axis goes to the front, where ScatterND adds whole slices.
      const rest = dims.filter((_, i) => i !== axis);
      const rank = picked.length + rest.length;
      const front = Array.from({ length: rank }, (_, i) => i);
      const perm = [...front.splice(axis, picked.length), ...front];
      const slices = emit.transpose(dyOf(context), perm);
      const wrapped = wrapIndices(context, indices, dims[axis]!);
      const places = emit.reshape(wrapped, [...picked, 1]);
      const sum = emit.op('ScatterND', [zeros(context, [dims[axis]!, ...rest]), places, slices], { reduction: 'add' });
      return emit.transpose(sum, [
        ...rest.slice(0, axis).map((_, i) => i + 1),
        0,
        ...rest.slice(axis).map((_, i) => axis + 1 + i),
      ]);
    });
  },
};

/** Negative indices count from the end. @returns int64 */
function wrapIndices({ emit }: GradientContext, indices: Value, size: number): Value {
  const wide = emit.op('Cast', [indices], { to: 7 });
  return emit.op('Mod', [emit.op('Add', [wide, emit.ints([size])]), emit.ints([size])]);
}

export const gatherElements: OpSpec = {
  types: ['GatherElements'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    give(context, 0, (x) => {
      const axis = node.int('axis', 0);
      return emit.op('ScatterElements', [zeros(context, staticDims(x)), node.input(1)!, dyOf(context)], {
        axis,
        reduction: 'add',
      });
    });
  },
};

/** Elements are picked by the indices of the second output. */
export const topK: OpSpec = {
  types: ['TopK'],
  gradient(context: GradientContext) {
    const { node, emit } = context;
    give(context, 0, (x) => {
      return emit.op('ScatterElements', [zeros(context, staticDims(x)), node.output(1)!, dyOf(context)], {
        axis: node.int('axis', -1),
      });
    });
  },
};
