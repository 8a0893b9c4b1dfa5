/**
 * Element type, shape and, of short integer tensors, content of every value, as far as they follow from declarations,
 * constants and the operators between: enough to know when a fusion is safe, and to compute shapes that a file computes at
 * run time. What it cannot tell stays undefined.
 */
import type { Node } from './node.ts';
import type { Value } from './value.ts';
import { dataTypeOfCode, type DataTypeName } from '../onnx/data-types.ts';
import { arithmetic } from './shapes/arithmetic.ts';
import { integers, tensorOf, longestVector, Sizes, type Size, type Vector } from './shapes/size.ts';
import { moving } from './shapes/moving.ts';
import type { Known, Shape, ShapeRule } from './shapes/rule.ts';
import { vectorRules } from './shapes/vector.ts';
import { windows } from './shapes/windows.ts';

export interface Fact {
  readonly type: DataTypeName | undefined;
  readonly rank: number | undefined;
  /** Every axis: a number, or a size that only a run knows; equal ones are one object. */
  readonly dims: readonly Size[] | undefined;
  /** Of an integer tensor of at most one axis. */
  readonly vector: Vector | undefined;
}

export interface Facts {
  of(value: Value | undefined): Fact;
}

const unknown: Fact = { type: undefined, rank: undefined, dims: undefined, vector: undefined };

/** Worked out when asked for, and remembered: most passes ask of few values. */
export function createFacts(): Facts {
  const sizes = new Sizes();
  const known = new Map<Value, Fact>();
  const of = (value: Value | undefined): Fact => {
    if (!value) return unknown;
    if (!known.has(value)) derive(value, known, sizes);
    return known.get(value)!;
  };
  return { of };
}

/** Along the producers with a stack of its own: real graphs are deeper than the call stack. */
function derive(value: Value, known: Map<Value, Fact>, sizes: Sizes): void {
  const stack = [value];
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    const node = top.producer;
    const ruled = node !== undefined && node.domain === '' && rules.has(node.opType);
    const pending = ruled ? node.inputs.filter((input) => input !== null && !known.has(input)) : [];
    if (pending.length > 0) {
      for (const input of pending) stack.push(input!);
      continue;
    }
    known.set(top, factOf(top, ruled ? node : undefined, known, sizes));
    stack.pop();
  }
}

function factOf(value: Value, node: Node | undefined, known: ReadonlyMap<Value, Fact>, sizes: Sizes): Fact {
  const tensor = tensorOf(value);
  if (tensor) {
    const { type, dims } = tensor;
    return { type: type.name, rank: dims.length, dims, vector: constantVector(value, dims) };
  }
  const output = node?.outputs.indexOf(value) ?? 0;
  const input = (index: number): Fact => (node?.inputs[index] && known.get(node.inputs[index])) ?? unknown;
  const about: Known | undefined = node && {
    node,
    output,
    dims: (index) => input(index).dims,
    vector: (index) => vectorOrLength(input(index)),
    ints: (attribute, index) => node.ints(attribute) ?? integersIn(node.input(index), input(index)),
  };
  const isRuled = node !== undefined && (output === 0 || severalOutputs.has(node.opType));
  const derived = isRuled ? rules.get(node.opType)!(about!) : undefined;
  const dims = merged(value, derived, sizes);
  const type = value.type ?? (isRuled ? typeOf(node, output, (index) => input(index).type) : undefined);
  const rule = isRuled && output === 0 && isIntegral(type) ? vectorRules.get(node.opType) : undefined;
  const vector = rule?.({
    ...about!,
    vector: (index) => input(index).vector ?? vectorOrLength(input(index)),
    sizeOf: (of, axis) => sizes.declared(of, axis),
  });
  return {
    type,
    rank: dims?.length,
    dims,
    vector: vector && vector.elements.length <= longestVector ? vector : undefined,
  };
}

/** What the operator says, else what is declared; numbers first. */
function merged(value: Value, derived: Shape | undefined, sizes: Sizes): readonly Size[] | undefined {
  const declared = value.dims;
  const shape = derived ?? declared;
  return shape?.map((_, axis): Size => {
    const size = derived?.[axis];
    if (typeof size === 'number') return size;
    const own = declared?.length === shape.length ? sizes.declared(value, axis) : undefined;
    if (typeof own === 'number') return own;
    return size ?? own ?? sizes.unknown(value, axis);
  });
}

function constantVector(value: Value, dims: readonly number[]): Vector | undefined {
  if (dims.length > 1) return undefined;
  const elements = integers(value);
  return (
    elements && {
      elements: elements.map((each) => (Number.isSafeInteger(each) ? each : undefined)),
      scalar: dims.length === 0,
    }
  );
}

/** The content, or at least how many elements there are. */
function vectorOrLength({ type, dims, vector }: Fact): Vector | undefined {
  if (vector && !vector.shapeOf) return vector;
  if (!dims || dims.length > 1 || (type !== undefined && !isIntegral(type))) return undefined;
  const length = dims[0] ?? 1;
  if (typeof length !== 'number' || length > longestVector) return undefined;
  return { elements: Array.from({ length }, () => undefined), scalar: dims.length === 0 };
}

function integersIn(value: Value | undefined, { vector }: Fact): number[] | undefined {
  const constant = integers(value);
  if (constant) return constant;
  if (!vector || vector.shapeOf || !vector.elements.every((element) => typeof element === 'number')) return undefined;
  return [...vector.elements];
}

const isIntegral = (type: DataTypeName | undefined): boolean => type === 'int64' || type === 'int32' || type === 'bool';

/** Outputs of other types than the first input. */
function typeOf(
  node: Node,
  output: number,
  input: (index: number) => DataTypeName | undefined,
): DataTypeName | undefined {
  const { opType } = node;
  if (opType === 'Cast') return dataTypeOfCode(node.int('to', 0))?.name;
  if (opType === 'ConstantOfShape') return node.tensor('value')?.type.name ?? 'float32';
  if (int64Results.has(opType)) return 'int64';
  if (boolResults.has(opType)) return 'bool';
  if (opType === 'TopK' && output === 1) return 'int64';
  if (opType === 'Where' || opType === 'CastLike') return input(1) ?? (opType === 'Where' ? input(2) : undefined);
  if (opType === 'OneHot') return input(2);
  if (/^(Conv|Gemm|MatMul)/.test(opType)) return opType.endsWith('Integer') ? 'int32' : (input(1) ?? input(0));
  if (opType === 'QuantizeLinear') return input(2);
  if (opType === 'DequantizeLinear') return input(1);
  if (opType.endsWith('Like')) return dataTypeOfCode(node.int('dtype', 0))?.name ?? input(0);
  return input(0) ?? (variadic.has(opType) ? node.inputs.map((_, index) => input(index)).find(Boolean) : undefined);
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));
const int64Results = words('Shape Size ArgMax ArgMin NonZero NonMaxSuppression');
const boolResults = words('Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor Not IsNaN IsInf');
const variadic = words('Add Sub Mul Div Min Max Sum Mean');
const severalOutputs = words('Split TopK');

const rules: ReadonlyMap<string, ShapeRule> = new Map([...arithmetic, ...windows, ...moving]);

/** The operators with a rule. */
export const ruledOperators: ReadonlySet<string> = new Set(rules.keys());
