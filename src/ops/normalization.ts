/**
 * Normalizations: x̂ = (x − mean) · rstd over some axes, times a scale, plus a bias, which meet x̂ per channel or along its last axes.
 * The gradient through x̂ is shared by all of them, and by the live BatchNormalization of training (qat/batch-norm.ts).
 */
import { type Emitter, axesBut, channelShape } from '../graph/emitter.ts';
import type { Value } from '../graph/value.ts';
import { elementCount } from '../onnx/data-types.ts';
import { dyOf, give, staticDims, wrapAxis, type GradientContext } from './gradient/context.ts';
import type { OpSpec } from './op.ts';

/** Scale and bias; BatchNormalization's statistics are not learned. */
const learnable = (): number[] => [1, 2];

const epsilonOf = ({ node }: GradientContext): number => node.float('epsilon', 1e-5);

/**
 * With fixed statistics, an affine map per channel. In training mode the operator of onnxruntime writes into its own constants
 * and is never run: `qat/batch-norm.ts` puts plain operators in its place before.
 */
export const batchNormalization: OpSpec = {
  types: ['BatchNormalization'],
  learnable,
  gradient(context: GradientContext) {
    const { node, emit } = context;
    if (node.int('training_mode', 0) !== 0) return 'it is in training mode and has not been decomposed (liveBatchNorm)';
    const [x, gamma, , mean, variance] = node.inputs as Value[];
    const dy = dyOf(context);
    const dims = staticDims(x!);
    const column = (value: Value): Value => emit.reshape(value, channelShape(dims.length, 1, dims[1]!));
    const perChannel = (value: Value): Value => emit.sum(value, axesBut(dims.length, 1), false);
    const shifted = emit.op('Add', [variance!, emit.scalar(epsilonOf(context))]);
    const rstd = emit.op('Reciprocal', [emit.op('Sqrt', [shifted])]);
    const gain = emit.op('Mul', [gamma!, rstd]);
    const centred = (): Value => emit.op('Sub', [x!, column(mean!)]);
    const slope = (): Value => emit.op('Mul', [perChannel(emit.op('Mul', [dy, centred()])), rstd]);
    give(context, 0, () => emit.op('Mul', [dy, column(gain)]));
    give(context, 1, slope);
    give(context, 2, () => perChannel(dy));
    give(context, 3, () => emit.op('Neg', [emit.op('Mul', [perChannel(dy), gain])]));
    give(context, 4, () =>
      emit.op('Mul', [slope(), emit.op('Div', [gamma!, emit.op('Mul', [shifted, emit.scalar(-2)])])]),
    );
    return undefined;
  },
};

/** Adds the gradients of a scale and a bias that broadcast to the normalized tensor of these dims. */
function giveAffine(context: GradientContext, dims: readonly number[], normal: () => Value): void {
  const { emit } = context;
  const dy = dyOf(context);
  give(context, 1, (scale) => emit.unbroadcast(emit.op('Mul', [dy, normal()]), dims, staticDims(scale)));
  give(context, 2, (bias) => emit.unbroadcast(dy, dims, staticDims(bias)));
}

export const layerNormalization: OpSpec = {
  types: ['LayerNormalization'],
  learnable,
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const x = node.input(0)!;
    const { dims, axes, count } = trailing(context);
    const normalized = normalize(emit, x, axes, count, epsilonOf(context));
    give(context, 0, () => throughNormal(emit, emit.op('Mul', [dyOf(context), node.input(1)!]), normalized));
    giveAffine(context, dims, () => normalized.normal);
  },
};

/** x · rstd with rstd = 1 / √(mean(x²) + epsilon). */
export const rmsNormalization: OpSpec = {
  types: ['RMSNormalization'],
  learnable,
  gradient(context: GradientContext) {
    const { node, emit } = context;
    const x = node.input(0)!;
    const { dims, axes, count } = trailing(context);
    const square = emit.mean(emit.op('Mul', [x, x]), axes, count);
    const rstd = emit.op('Reciprocal', [emit.op('Sqrt', [emit.op('Add', [square, emit.scalar(epsilonOf(context))])])]);
    const normal = emit.op('Mul', [x, rstd]);
    give(context, 0, () => {
      const dn = emit.op('Mul', [dyOf(context), node.input(1)!]);
      return emit.op('Mul', [rstd, emit.op('Sub', [dn, alongNormal(emit, dn, normal, axes, count)])]);
    });
    giveAffine(context, dims, () => normal);
  },
};

/** The axes from `axis` to the last one. */
function trailing({ node }: GradientContext): { dims: number[]; axes: number[]; count: number } {
  const dims = staticDims(node.input(0)!);
  const axis = wrapAxis(node.int('axis', -1), dims.length);
  const axes = dims.map((_, i) => i).slice(axis);
  return { dims, axes, count: elementCount(dims.slice(axis)) };
}

export const instanceNormalization: OpSpec = {
  types: ['InstanceNormalization'],
  learnable,
  gradient: (context) => grouped(context, staticDims(context.node.input(0)!)[1]!),
};

/** Scale and bias are one number per group in opset 18, per channel since 21. */
export const groupNormalization: OpSpec = {
  types: ['GroupNormalization'],
  learnable,
  gradient: (context) => grouped(context, context.node.int('num_groups', 1)),
};

/** Channels in groups, each normalized as one row. */
function grouped(context: GradientContext, groups: number): void {
  const { node, emit } = context;
  const [x, scale] = [node.input(0)!, node.input(1)!];
  const dims = staticDims(x);
  const [batch, channels] = dims as [number, number];
  const count = elementCount(dims) / (batch * groups);
  const [rows, parameters] = [[batch, groups, count], staticDims(scale)[0]!];
  const normalized = normalize(emit, emit.reshape(x, rows), [2], count, epsilonOf(context));
  // A scale per channel meets [batch, channels, pixels], one per group [batch, groups, pixels of all its channels].
  const view = [batch, parameters, elementCount(dims) / (batch * parameters)];
  const dy = emit.reshape(dyOf(context), view);
  const perParameter = (value: Value): Value => emit.sum(value, [0, 2], false);
  give(context, 0, () => {
    const dn = emit.op('Mul', [dy, emit.reshape(scale, [1, parameters, 1])]);
    return emit.reshape(throughNormal(emit, emit.reshape(dn, rows), normalized), [batch, channels, ...dims.slice(2)]);
  });
  give(context, 1, () => perParameter(emit.op('Mul', [dy, emit.reshape(normalized.normal, view)])));
  give(context, 2, () => perParameter(dy));
}

/** x̂ and what it was made of. */
interface Normalized {
  readonly normal: Value;
  /** 1 / √(variance + epsilon), with axes of one element. */
  readonly rstd: Value;
  readonly axes: readonly number[];
  /** Elements that one mean is made of. */
  readonly count: number;
}

/**
 * Appends x̂ = (x − mean) / √(variance + epsilon) over the given axes.
 * @param count elements that one mean is made of
 */
export function normalize(
  emit: Emitter,
  x: Value,
  axes: readonly number[],
  count: number,
  epsilon: number,
): Normalized & { readonly mean: Value; readonly variance: Value } {
  const mean = emit.mean(x, axes, count);
  const centred = emit.op('Sub', [x, mean]);
  const variance = emit.mean(emit.op('Mul', [centred, centred]), axes, count);
  const deviation = emit.op('Sqrt', [emit.op('Add', [variance, emit.scalar(epsilon)])]);
  const rstd = emit.op('Reciprocal', [deviation]);
  return { normal: emit.op('Mul', [centred, rstd]), rstd, axes, count, mean, variance };
}

/** Appends the gradient through x̂: dx = rstd · (dn − mean(dn) − x̂ · mean(dn·x̂)). @param dn the gradient of x̂ */
function throughNormal(emit: Emitter, dn: Value, { normal, rstd, axes, count }: Normalized): Value {
  const level = emit.mean(dn, axes, count);
  return emit.op('Mul', [
    rstd,
    emit.op('Sub', [emit.op('Sub', [dn, level]), alongNormal(emit, dn, normal, axes, count)]),
  ]);
}

/** Appends x̂ · mean(dn·x̂): what of dn only scales x̂, which its norm takes out again. */
function alongNormal(emit: Emitter, dn: Value, normal: Value, axes: readonly number[], count: number): Value {
  return emit.op('Mul', [normal, emit.mean(emit.op('Mul', [dn, normal]), axes, count)]);
}
