/**
 * Shape arithmetic that leads to known numbers becomes constant, and a Reshape whose target only copies axes of its own
 * input gets a constant target: Reshape(x, Concat(Gather(Shape(x), 0), -1)) is Reshape(x, [0, -1]). What computed it
 * dies.
 */
import type { Facts } from '../graph/facts.ts';
import type { Node } from '../graph/node.ts';
import type { Size, Vector } from '../graph/shapes/size.ts';
import { isAxisSize, vectorRules } from '../graph/shapes/vector.ts';
import type { DataTypeName, TypedArray } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { makeConstant, removeCopy, setConstant } from './edit.ts';
import { nodePass, type PassContext } from './pass.ts';

export const shapeFolding = nodePass(
  'shape-folding',
  'shape arithmetic with a known result becomes constant, in Reshape also when only axes of its input are copied',
  (node, { facts }, context) => {
    const folded = node.is('Reshape') && node.input(1)?.producer ? reshape(node, facts, context) : false;
    return folded || fold(node, facts, context);
  },
);

/** The result, if it is known, or the input that has the same elements. */
function fold(node: Node, facts: Facts, context: PassContext): boolean {
  const output = node.output();
  if (!output || node.domain !== '' || node.is('Identity') || !vectorRules.has(node.opType)) return false;
  const { type, vector } = facts.of(output);
  if (!vector || vector.shapeOf || type === undefined) return false;
  const { elements, scalar } = vector;
  if (elements.every((element) => typeof element === 'number')) {
    const { label } = node;
    makeConstant(output, Tensor.of(output.name, type, scalar ? [] : [elements.length], arrayOf(type, elements)));
    context.applied([label]);
    return true;
  }
  const same = node.inputs.find((input) => input?.producer && isSame(facts, input, vector, type));
  return same ? removeCopy(node, same, context) : false;
}

function isSame(
  facts: Facts,
  value: Node['inputs'][number],
  { elements, scalar }: Vector,
  type: DataTypeName,
): boolean {
  const { vector: own, type: ownType } = facts.of(value!);
  if (!own || own.shapeOf || ownType !== type || own.scalar !== scalar) return false;
  if (own.elements.length !== elements.length) return false;
  return elements.every((element, i) => element !== undefined && element === own.elements[i]);
}

function arrayOf(type: DataTypeName, elements: readonly number[]): TypedArray {
  if (type === 'int64') return BigInt64Array.from(elements, BigInt);
  return type === 'int32' ? Int32Array.from(elements) : Uint8Array.from(elements);
}

/** True when the Reshape got a constant target. */
function reshape(node: Node, facts: Facts, context: PassContext): boolean {
  const { vector: target } = facts.of(node.input(1));
  if (!target || (!target.shapeOf && !target.elements.some(isAxisSize))) return false;
  const reason = copyAxes(node, target, facts);
  if (reason === undefined) context.applied([node.label], node.label);
  else context.refused(node.label, reason);
  return reason === undefined;
}

/** Gives the Reshape a constant target, or returns the reason why it cannot have one. */
function copyAxes(node: Node, target: Vector, facts: Facts): string | undefined {
  const x = node.input(0);
  const sizes = facts.of(x).dims;
  if (!x || target.shapeOf || target.scalar) return 'its target is the whole shape of a value of unknown rank';
  const zeroIsZero = node.int('allowzero', 0) !== 0;
  const dims = target.elements.map((element, axis) => {
    if (!isAxisSize(element)) return element;
    return element === sizes?.[axis] || (element.of === x && element.axis === axis) ? 0 : element;
  });
  if (zeroIsZero && target.elements.includes(0)) return 'its target holds a literal zero (allowzero = 1)';
  const open = dims.filter((dim) => typeof dim !== 'number');
  if (open.length > 0) {
    // One size that is not an axis of x can be left to Reshape (-1), if every other one is a positive number.
    const numbers = dims.filter((dim) => typeof dim === 'number');
    if (open.length > 1 || !numbers.every((dim) => dim > 0)) return unknownTarget(open);
  }
  const content = BigInt64Array.from(dims, (dim) => (typeof dim === 'number' ? BigInt(dim) : -1n));
  node.attributes.delete('allowzero');
  setConstant(node, 1, { type: 'int64', dims: [content.length], data: content }, `${node.label}_shape`);
  return undefined;
}

function unknownTarget(open: readonly (Size | undefined)[]): string {
  const size = open.find(isAxisSize);
  if (!size) return 'its target is computed at run time';
  return `axis ${size.axis} of '${size.of.name}', which its target reads, is not known to be an axis that it keeps`;
}
