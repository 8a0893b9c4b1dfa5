/**
 * Shape arithmetic that leads to known numbers becomes constant, and a Reshape whose target only copies axes of its own
 * input gets a constant target: Reshape(x, Concat(Gather(Shape(x), 0), -1)) is Reshape(x, [0, -1]). What computed it
 * dies.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import { makeConstant, setConstant } from './edit.ts';
import { createFacts } from './facts.ts';
import type { Pass } from './pass.ts';
import { SymbolicShapes, type AxisSize, type SymbolicVector } from './symbolic-shape.ts';

export const shapeFolding: Pass = {
  name: 'shape-folding',
  summary:
    'shape arithmetic with a known result becomes constant, in Reshape also when only axes of its input are copied',
  run(model, context) {
    const shapes = new SymbolicShapes(createFacts());
    let changed = false;
    for (const node of model.allNodes()) {
      const label = node.label;
      if (node.is('Reshape')) {
        const target = node.input(1)?.producer && shapes.of(node.input(1));
        if (!target || !isRuntime(target)) continue;
        const reason = copyAxes(node, target);
        if (reason === undefined) context.applied([label], label);
        else context.refused(label, reason);
        changed ||= reason === undefined;
        continue;
      }
      const vector = shapes.visit(node);
      if (!vector || isRuntime(vector)) continue;
      const { elements, scalar } = vector;
      const output = node.output()!;
      const data = BigInt64Array.from(elements as number[], BigInt);
      makeConstant(output, Tensor.of(output.name, 'int64', scalar ? [] : [elements.length], data));
      context.applied([label]);
      changed = true;
    }
    return changed;
  },
};

function isRuntime({ elements, shapeOf }: SymbolicVector): boolean {
  return shapeOf !== undefined || elements.some((element) => typeof element !== 'number');
}

/** Gives the Reshape a constant target, or returns the reason why it cannot have one. */
function copyAxes(node: Node, target: SymbolicVector): string | undefined {
  const x = node.input(0);
  if (!x || target.shapeOf || target.scalar) return 'its target is the whole shape of a value of unknown rank';
  const zeroIsZero = node.int('allowzero', 0) !== 0;
  const dims = target.elements.map((element, axis) => {
    return typeof element !== 'number' && isAxisOf(x, axis, element) ? 0 : element;
  });
  if (zeroIsZero && target.elements.includes(0)) return 'its target holds a literal zero (allowzero = 1)';
  const open = dims.filter((dim): dim is AxisSize => typeof dim !== 'number');
  if (open.length > 0) {
    // One size that is not an axis of x can be left to Reshape (-1), if every other one is a positive number.
    const numbers = dims.filter((dim) => typeof dim === 'number');
    if (open.length > 1 || !numbers.every((dim) => dim > 0)) {
      const { of, axis } = open[0]!;
      return `axis ${axis} of '${of.name}', which its target reads, is not known to be an axis that it keeps`;
    }
  }
  const content = BigInt64Array.from(dims, (dim) => (typeof dim === 'number' ? BigInt(dim) : -1n));
  node.attributes.delete('allowzero');
  setConstant(node, 1, { type: 'int64', dims: [content.length], data: content }, `${node.label}_shape`);
  return undefined;
}

/** True when the element is the size of that axis of x: by identity, or because both declare the same symbol. */
function isAxisOf(x: Value, axis: number, element: AxisSize): boolean {
  if (element.of === x) return element.axis === axis;
  const symbol = x.dims?.[axis];
  return typeof symbol === 'string' && symbol === element.of.dims?.[element.axis];
}
