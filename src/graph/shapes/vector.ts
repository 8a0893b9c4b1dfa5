/**
 * Shape arithmetic as exporters write it (Shape → Gather → Unsqueeze → Concat → Reshape, and Equal → Where → Expand), element by
 * element: each is a number or "the size of that axis of that value". Booleans are 0 and 1.
 */
import type { Node } from '../node.ts';
import type { Value } from '../value.ts';
import { axisOf } from './rule.ts';
import { longestVector, type AxisSize, type Size, type Vector } from './size.ts';

type Element = Size | undefined;

export interface KnownVectors {
  readonly node: Node;
  vector(index: number): Vector | undefined;
  dims(index: number): readonly Size[] | undefined;
  ints(attribute: string, index: number): number[] | undefined;
  /** The size of an axis of a value of unknown rank. */
  sizeOf(value: Value, axis: number): Size;
}

type VectorRule = (known: KnownVectors) => Vector | undefined;

const shape: VectorRule = ({ node, dims }) => {
  const value = node.input(0);
  const sizes = dims(0);
  const [start, end] = [node.int('start', 0), node.int('end')];
  if (sizes) return { elements: sizes.slice(start, end), scalar: false };
  return value && start === 0 && end === undefined ? { elements: [], scalar: false, shapeOf: value } : undefined;
};

const copy: VectorRule = ({ vector }) => vector(0);

/** To an integer type or to bool: 1 is int64's neighbour among the codes only by name. */
const cast: VectorRule = ({ node, vector }) => {
  const [int32, int64] = [6, 7];
  const to = node.int('to');
  return to === int32 || to === int64 ? vector(0) : undefined;
};

const gather: VectorRule = ({ node, vector, dims, ints, sizeOf }) => {
  const data = vector(0);
  const rank = dims(1)?.length;
  const chosen = ints('', 1);
  if (!data || !chosen || rank === undefined || rank > 1 || data.scalar || node.int('axis', 0) !== 0) return undefined;
  const { shapeOf } = data;
  if (shapeOf && chosen.some((index) => index < 0)) return undefined;
  const elements = chosen.map((index) => (shapeOf ? sizeOf(shapeOf, index) : data.elements.at(index)));
  return { elements, scalar: rank === 0 };
};

const concat: VectorRule = ({ node, vector }) => {
  const parts = node.inputs.map((_, index) => vector(index));
  if (!parts.every((part) => part !== undefined && !part.scalar && !part.shapeOf)) return undefined;
  return { elements: parts.flatMap((part) => part!.elements), scalar: false };
};

/** Bounds: attributes before opset 10, inputs since. Array.slice clamps them as ONNX does. */
const slice: VectorRule = ({ node, vector, ints }) => {
  const data = vector(0);
  const [starts, ends] = [ints('starts', 1), ints('ends', 2)];
  const hasAxes = node.attributes.has('axes') || node.input(3) !== undefined;
  const axes = hasAxes ? ints('axes', 3) : [0];
  const steps = node.input(4) ? ints('', 4) : [1];
  if (!data || data.scalar || data.shapeOf || ![starts, ends, axes, steps].every((list) => list?.length === 1))
    return undefined;
  if ((axes![0] !== 0 && axes![0] !== -1) || (steps![0] !== 1 && steps![0] !== -1)) return undefined;
  if (steps![0] === 1) return { elements: data.elements.slice(starts![0], ends![0]), scalar: false };
  // Backwards: of exporters only the whole reversal.
  const whole =
    (starts![0] === -1 || starts![0]! >= data.elements.length - 1) && ends![0]! <= -data.elements.length - 1;
  return whole ? { elements: data.elements.toReversed(), scalar: false } : undefined;
};

const unsqueeze: VectorRule = ({ vector, ints }) => {
  const data = vector(0);
  const axes = ints('axes', 1);
  return data?.scalar && axes?.length === 1 && axisOf(axes[0]!, 1) === 0 ? { ...data, scalar: false } : undefined;
};

const squeeze: VectorRule = ({ node, vector, ints }) => {
  const data = vector(0);
  const axes = node.attributes.has('axes') || node.input(1) ? ints('axes', 1) : [0];
  const single = data && !data.scalar && !data.shapeOf && data.elements.length === 1;
  return single && axes?.length === 1 && axisOf(axes[0]!, 1) === 0 ? { ...data, scalar: true } : undefined;
};

/** One element in another number of axes, or a vector as it is. */
const reshape: VectorRule = ({ vector, ints }) => {
  const data = vector(0);
  const target = ints('shape', 1);
  if (!data || data.shapeOf || !target || target.length > 1) return undefined;
  if (target.length === 0) return data.elements.length === 1 ? { ...data, scalar: true } : undefined;
  return { ...data, scalar: false };
};

const constantOfShape: VectorRule = ({ node, vector }) => {
  const lengths = vector(0);
  const length = lengths?.elements[0];
  if (lengths?.scalar !== false || lengths.shapeOf || lengths.elements.length !== 1) return undefined;
  if (typeof length !== 'number' || length > longestVector) return undefined;
  const tensor = node.tensor('value');
  if (tensor && tensor.type.name !== 'int64' && tensor.type.name !== 'int32') return undefined;
  // Without a value it is of float zeros.
  if (!tensor) return undefined;
  return { elements: Array.from({ length }, () => tensor.ints()[0]), scalar: false };
};

/** Element by element, a scalar or a single one with each of the other side. */
function combine(
  operands: readonly (Vector | undefined)[],
  f: (...elements: Element[]) => Element,
): Vector | undefined {
  if (!operands.every((each) => each !== undefined && !each.shapeOf)) return undefined;
  const vectors = operands as readonly Vector[];
  const length = Math.max(...vectors.map(({ elements }) => elements.length));
  if (!vectors.every(({ elements }) => elements.length === length || elements.length === 1)) return undefined;
  const at = ({ elements }: Vector, i: number): Element => elements[elements.length === 1 ? 0 : i];
  return {
    elements: Array.from({ length }, (_, i) => f(...vectors.map((each) => at(each, i)))),
    scalar: vectors.every(({ scalar }) => scalar),
  };
}

/** @param neutral what leaves the other side as it is: on the right side, or on both */
const arithmetic =
  (f: (a: number, b: number) => number, neutral?: number, sides: 'right' | 'both' = 'both'): VectorRule =>
  ({ vector }) =>
    combine([vector(0), vector(1)], (a, b) => {
      if (typeof a === 'number' && typeof b === 'number') return integer(f(a, b));
      if (neutral !== undefined && b === neutral) return a;
      return neutral !== undefined && a === neutral && sides === 'both' ? b : undefined;
    });

/** Beyond 2^53 a number is not what it seems. */
const integer = (value: number): number | undefined => (Number.isSafeInteger(value) ? value : undefined);

/** Sizes of axes are never negative. */
const equal: VectorRule = ({ vector }) =>
  combine([vector(0), vector(1)], (a, b) => {
    if (a === undefined || b === undefined) return undefined;
    if (a === b) return 1;
    if (typeof a === 'number' && typeof b === 'number') return 0;
    return [a, b].some((each) => typeof each === 'number' && each < 0) ? 0 : undefined;
  });

const where: VectorRule = ({ vector }) =>
  combine([vector(0), vector(1), vector(2)], (condition, a, b) =>
    typeof condition === 'number' ? (condition === 0 ? b : a) : a === b ? a : undefined,
  );

export const vectorRules: ReadonlyMap<string, VectorRule> = new Map<string, VectorRule>([
  ['Shape', shape],
  ['Identity', copy],
  ['Cast', cast],
  ['Gather', gather],
  ['Concat', concat],
  ['Slice', slice],
  ['Unsqueeze', unsqueeze],
  ['Squeeze', squeeze],
  ['Reshape', reshape],
  ['ConstantOfShape', constantOfShape],
  ['Add', arithmetic((a, b) => a + b, 0)],
  ['Sub', arithmetic((a, b) => a - b, 0, 'right')],
  ['Mul', arithmetic((a, b) => a * b, 1)],
  ['Div', arithmetic((a, b) => (b === 0 ? NaN : Math.trunc(a / b)), 1, 'right')],
  ['Max', arithmetic(Math.max)],
  ['Min', arithmetic(Math.min)],
  ['Equal', equal],
  ['Where', where],
]);

export const isAxisSize = (element: Element): element is AxisSize => typeof element === 'object';
