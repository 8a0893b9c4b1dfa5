/**
 * Element type and rank of every value, as far as they follow from declarations, constants and the operators between:
 * enough to know when a fusion is safe. It is not shape inference; what it cannot tell
 * stays undefined.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { dataTypeOfCode, type DataTypeName } from '../onnx/data-types.ts';

export interface Fact {
  readonly type: DataTypeName | undefined;
  readonly rank: number | undefined;
}

export interface Facts {
  of(value: Value | undefined): Fact;
}

const unknown: Fact = { type: undefined, rank: undefined };

/** What a node says of its outputs, given the facts of its inputs. */
type Rule = (node: Node, input: (index: number) => Fact) => Fact;

/** Worked out when asked for, and remembered: most passes ask of few values. */
export function createFacts(): Facts {
  const derived = new Map<Value, Fact>();
  const known = (value: Value | undefined): Fact => {
    if (!value) return unknown;
    const { type, rank } = derived.get(value) ?? unknown;
    return { type: value.type ?? type, rank: value.dims?.length ?? rank };
  };
  const of = (value: Value | undefined): Fact => {
    if (value && !derived.has(value)) derive(value, derived, known);
    return known(value);
  };
  return { of };
}

/** Along the producers with a stack of its own: real graphs are deeper than the call stack. */
function derive(value: Value, derived: Map<Value, Fact>, known: (value: Value | undefined) => Fact): void {
  const stack = [value];
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    const node = top.producer;
    const rule = node && node.domain === '' ? rules.get(node.opType) : undefined;
    const applies = rule !== undefined && (node!.outputs[0] === top || node!.opType === 'Split');
    const pending = applies ? node!.inputs.filter((input) => input?.producer && !derived.has(input)) : [];
    if (pending.length > 0) {
      for (const input of pending) stack.push(input!);
      continue;
    }
    derived.set(top, applies ? rule(node!, (index) => known(node!.input(index))) : unknown);
    stack.pop();
  }
}

const alike: Rule = (_, input) => input(0);

const broadcast: Rule = (node, input) => {
  const facts = node.inputs.map((_, index) => input(index));
  const ranks = facts.map((fact) => fact.rank);
  return {
    type: facts.find((fact) => fact.type !== undefined)?.type,
    rank: ranks.includes(undefined) ? undefined : Math.max(...(ranks as number[])),
  };
};

const convolution: Rule = (_, input) => ({
  type: input(1).type ?? input(0).type,
  rank: input(1).rank ?? input(0).rank,
});

const matrix: Rule = (_, input) => ({ type: input(1).type ?? input(0).type, rank: 2 });

const product: Rule = (_, input) => {
  const [a, b] = [input(0), input(1)];
  const plain = a.rank !== undefined && b.rank !== undefined && a.rank >= 2 && b.rank >= 2;
  return { type: b.type ?? a.type, rank: plain ? Math.max(a.rank, b.rank) : undefined };
};

/** How many axes are listed: an attribute in old opsets, a constant input in new ones. */
function axesCount(node: Node): number | undefined {
  return node.ints('axes')?.length ?? node.constant(1)?.size;
}

const reduction: Rule = (node, input) => {
  const { type, rank } = input(0);
  if (node.int('keepdims', 1) === 1) return { type, rank };
  // No axes at all may mean every one or none.
  const count = axesCount(node) || undefined;
  return { type, rank: rank === undefined || count === undefined ? undefined : rank - count };
};

const gather: Rule = (_, input) => {
  const [data, indices] = [input(0).rank, input(1).rank];
  return { type: input(0).type, rank: data === undefined || indices === undefined ? undefined : data + indices - 1 };
};

/** Unsqueeze adds and Squeeze drops as many axes as are listed. */
const axesChange =
  (sign: 1 | -1): Rule =>
  (node, input) => {
    const count = axesCount(node);
    const { type, rank } = input(0);
    return { type, rank: rank === undefined || count === undefined ? undefined : rank + sign * count };
  };

const reshape: Rule = (node, input) => {
  const length = node.input(1)?.dims?.[0];
  return { type: input(0).type, rank: node.ints('shape')?.length ?? (typeof length === 'number' ? length : undefined) };
};

const flatten: Rule = (_, input) => ({ type: input(0).type, rank: 2 });

const shape: Rule = () => ({ type: 'int64', rank: 1 });

const expand: Rule = (node, input) => {
  const [rank, length] = [input(0).rank, node.input(1)?.dims?.[0]];
  const known = rank !== undefined && typeof length === 'number';
  return { type: input(0).type, rank: known ? Math.max(rank, length) : undefined };
};

const cast: Rule = (node, input) => ({ type: dataTypeOfCode(node.int('to', 0))?.name, rank: input(0).rank });

const rules = new Map<string, Rule>();
for (const [rule, opTypes] of [
  [
    alike,
    'Identity Dropout Relu Clip LeakyRelu PRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Tanh Gelu Mish ' +
      'Softplus Softsign ThresholdedRelu Erf Exp Log Sqrt Reciprocal Neg Abs Sign Floor Ceil Round Sin Cos Softmax ' +
      'LogSoftmax Hardmax BatchNormalization InstanceNormalization LayerNormalization GroupNormalization ' +
      'LpNormalization LRN CumSum MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool Pad Slice ' +
      'Split Concat Transpose Resize Upsample DepthToSpace SpaceToDepth Tile ReverseSequence Trilu ScatterElements ' +
      'ScatterND GatherElements',
  ],
  [broadcast, 'Add Sub Mul Div Min Max Sum Mean'],
  [convolution, 'Conv ConvTranspose'],
  [matrix, 'Gemm'],
  [product, 'MatMul'],
  [reduction, 'ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp'],
  [gather, 'Gather'],
  [axesChange(1), 'Unsqueeze'],
  [axesChange(-1), 'Squeeze'],
  [reshape, 'Reshape'],
  [expand, 'Expand'],
  [cast, 'Cast'],
  [flatten, 'Flatten'],
  [shape, 'Shape'],
] as const) {
  for (const opType of opTypes.split(' ')) rules.set(opType, rule);
}

/** The operators with a rule. */
export const ruledOperators: ReadonlySet<string> = new Set(rules.keys());
