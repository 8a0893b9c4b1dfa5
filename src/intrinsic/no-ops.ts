/** Nodes whose result is one of their inputs are removed. */
import type { Node } from '../graph/node.ts';
import { dataTypeOfCode } from '../onnx/data-types.ts';
import { removeCopy, doubles, isFloatType } from './edit.ts';
import type { Facts } from '../graph/facts.ts';
import { nodePass } from './pass.ts';
import { type Size, integersOf } from '../graph/shapes/size.ts';
import type { Value } from '../graph/value.ts';

/**
 * Nodes that could change a tensor but are set up not to: Reshape to the shape it has, Transpose without a permutation,
 * Add of 0. Only where declared shapes, ranks and constants leave no doubt; anything else is not worth a word.
 */
export const noOps = nodePass(
  'no-ops',
  'Reshape, Transpose, Slice, Pad, Expand, Add of 0 and the like are removed where they change nothing',
  (node, { opset, facts }, context) => {
    const rule = node.domain === '' ? rules.get(node.opType) : undefined;
    const same = node.output() && rule?.(node, facts, opset);
    return same ? removeCopy(node, same, context) : false;
  },
);

/** The input that the result always equals, in shape and content. */
type Rule = (node: Node, facts: Facts, opset: number) => Value | undefined;

/** Rule for nodes that hand on input 0 when the condition holds. */
const when =
  (holds: (node: Node, x: Value, facts: Facts) => boolean): Rule =>
  (node, facts) => {
    const x = node.input(0);
    return x && holds(node, x, facts) ? x : undefined;
  };

/** The shape that a node is given as an attribute or an input; sizes of a run are in it too. */
function targetOf(
  node: Node,
  attribute: string,
  index: number,
  facts: Facts,
): readonly (Size | undefined)[] | undefined {
  const { vector } = facts.of(node.input(index));
  return node.ints(attribute) ?? (vector?.shapeOf || vector?.scalar ? undefined : vector?.elements);
}

const reshape = when((node, x, facts) => {
  const [{ dims }, target] = [facts.of(x), targetOf(node, 'shape', 1, facts)];
  if (!dims || target?.length !== dims.length) return false;
  const copies = node.int('allowzero', 0) === 0;
  // One size may be left open: the number of elements gives it.
  const open = target.filter((size, axis) => size !== dims[axis] && !(size === 0 && copies));
  return open.length === 0 || (open.length === 1 && open[0] === -1);
});

const flatten = when((node, x, facts) => {
  const axis = node.int('axis', 1);
  return facts.of(x).rank === 2 && (axis === 1 || axis === -1);
});

const transpose = when((node, x, facts) => {
  const perm = node.ints('perm');
  return perm ? perm.every((axis, i) => axis === i) : (facts.of(x).rank ?? 2) < 2;
});

const single = when((node) => node.inputs.length === 1);

/** To the end is any number that exporters write for "all of it", or one that reaches the declared size. */
const slice = when((node, x, facts) => {
  const [starts, ends] = [integersOf(node, 'starts', 1), integersOf(node, 'ends', 2)];
  if (!starts || ends?.length !== starts.length) return false;
  if (node.input(4) && !integersOf(node, '', 4)?.every((step) => step === 1)) return false;
  const axes = integersOf(node, 'axes', 3) ?? (node.input(3) ? undefined : ends.map((_, i) => i));
  const allOf = 2 ** 31 - 1;
  const sizes = axes?.map((axis) => sizeAt(facts.of(x).dims?.at(axis)));
  const fromFirst = starts.every((start, i) => start === 0 || start <= -(sizes?.[i] ?? Infinity));
  return fromFirst && ends.every((end, i) => end >= allOf || end >= (sizes?.[i] ?? Infinity));
});

const sizeAt = (size: Size | undefined): number => (typeof size === 'number' ? size : Infinity);

const pad = when((node) => {
  const pads = node.ints('paddings') ?? integersOf(node, 'pads', 1);
  return pads?.every((size) => size === 0) ?? false;
});

const expand = when((node, x, facts) => {
  const target = targetOf(node, '', 1, facts);
  return target !== undefined && absorbs(x, target, facts);
});

/** True when broadcasting x with that shape gives the shape of x. */
function absorbs(x: Value, dims: readonly (Size | undefined)[], facts: Facts): boolean {
  if (dims.length === 0) return true;
  const shape = facts.of(x).dims;
  if (!shape || dims.length > shape.length) return false;
  return dims.every((dim, i) => dim === 1 || (dim !== undefined && dim === shape[i - dims.length + shape.length]));
}

/** Before opset 7 attributes ruled broadcasting. */
const neutral =
  (element: number, sides: readonly number[]): Rule =>
  (node, facts, opset) => {
    const side = opset < 7 ? undefined : sides.find((index) => node.constant(index));
    const x = side === undefined ? undefined : node.input(1 - side);
    const constant = side === undefined ? undefined : node.constant(side)!;
    if (!x || !constant || !absorbs(x, constant.dims, facts)) return undefined;
    const { name } = constant.type;
    if (!isFloatType(name) && !/^(bfloat16|u?int(8|16|32|64))$/.test(name)) return undefined;
    return doubles(constant).every((value) => value === element) ? x : undefined;
  };

const rules = new Map<string, Rule>([
  ['Reshape', reshape],
  ['Flatten', flatten],
  ['Transpose', transpose],
  ['Concat', single],
  ['Sum', single],
  ['Max', single],
  ['Min', single],
  ['Mean', single],
  ['Slice', slice],
  ['Pad', pad],
  ['Expand', expand],
  ['Add', neutral(0, [0, 1])],
  ['Sub', neutral(0, [1])],
  ['Mul', neutral(1, [0, 1])],
  ['Div', neutral(1, [1])],
  ['Pow', neutral(1, [1])],
]);

/**
 * Nodes that hand their input on unchanged: Identity, Dropout outside training, Cast to the type a value has already.
 */
export const identity = nodePass(
  'identity',
  'Identity, inference-mode Dropout and Cast to the same type are removed',
  (node, { opset, facts }, context) => {
    const input = node.input(0);
    if (!input || !node.output()) return false;
    const verdict = node.is('Dropout') ? dropout(node, opset) : isCopy(node, facts);
    if (typeof verdict === 'string') context.refused(node.label, verdict);
    return verdict === true && removeCopy(node, input, context);
  },
);

function isCopy(node: Node, facts: Facts): boolean {
  if (node.is('Identity')) return true;
  if (!node.is('Cast')) return false;
  const to = dataTypeOfCode(node.int('to', 0))?.name;
  return to !== undefined && facts.of(node.input(0)).type === to;
}

/**
 * True when this Dropout does nothing, else the reason to leave it. Opset 1 and 6 tell by `is_test`, 7 to 11 always
 * infer, since 12 there is an optional input training_mode.
 */
function dropout(node: Node, opset: number): true | string {
  const mask = node.output(1);
  if (mask && mask.useCount > 0) return `its mask '${mask.name}' is read`;
  if (opset < 7) return node.int('is_test', 0) !== 0 || 'it runs in training mode (is_test = 0)';
  const mode = node.input(2);
  if (opset < 12 || !mode) return true;
  if (!mode.constant) return `'${mode.name}' decides at run time whether it trains`;
  return mode.constant.data()[0] === 0 || 'it runs in training mode';
}
