/**
 * Softmax over an axis of one is 1 everywhere, LogSoftmax 0, whatever is finite in their input. Of infinity both make NaN, so that
 * an input which holds some on purpose stays.
 */
import { createFacts, type Facts } from '../graph/facts.ts';
import type { Node } from '../graph/node.ts';
import { elementCount } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { infiniteValues } from '../ops/infinite.ts';
import { isFloatType, makeConstant, roundTo } from './edit.ts';
import type { Pass } from './pass.ts';

/** Elements of a constant result; a larger one is made when the model runs. */
const most = 2 ** 16;

export const loneSoftmax: Pass = {
  name: 'lone-softmax',
  summary: 'Softmax and LogSoftmax over an axis of one become their constant result',
  run(model, context) {
    const lone = (facts: Facts): Node[] =>
      [...model.allNodes()].filter((node) => node.is('Softmax', 'LogSoftmax') && isOverOne(node, facts, model.opset));
    const found = lone(createFacts());
    if (found.length === 0) return false;
    const infinite = infiniteValues(model);
    let changed = false;
    for (const node of found) {
      const held = infinite.get(node.input(0)!);
      if (held) {
        const reason = `its input holds infinity from constant '${held.constant}', of which it makes NaN`;
        context.refused(node.label, reason);
        continue;
      }
      if (!fold(node, createFacts(), model.opset)) continue;
      context.applied([node.label]);
      changed = true;
    }
    return changed;
  },
};

/** Below operator set 13 all axes from the given one on were one. */
function isOverOne(node: Node, facts: Facts, opset: number): boolean {
  const dims = facts.of(node.input(0)).dims;
  const axis = node.int('axis', opset < 13 ? 1 : -1);
  if (!dims || axis < -dims.length || axis >= dims.length) return false;
  const first = axis < 0 ? axis + dims.length : axis;
  return dims.slice(first, opset < 13 ? undefined : first + 1).every((size) => size === 1);
}

function fold(node: Node, facts: Facts, opset: number): boolean {
  const [input, output] = [node.input(0)!, node.output()!];
  const { dims, type } = facts.of(input);
  if (type === undefined || !isFloatType(type)) return false;
  const filled = (length: number): ReturnType<typeof roundTo> =>
    roundTo(type, new Float64Array(length).fill(node.is('Softmax') ? 1 : 0));
  const sizes = dims!.filter((size) => typeof size === 'number');
  if (sizes.length === dims!.length && elementCount(sizes) <= most) {
    makeConstant(output, Tensor.of(output.name, type, sizes, filled(elementCount(sizes))));
    return true;
  }
  if (opset < 9) return false;
  const graph = node.graph!;
  const shape = graph.makeNode('Shape', [input], { name: `${node.label}_shape`, outputs: [`${output.name}_shape`] });
  graph.insertBefore(shape, node);
  const fill = graph.makeNode('ConstantOfShape', [shape.output()!], { name: node.label, outputs: [] });
  fill.setTensor('value', Tensor.of('', type, [1], filled(1)));
  graph.insertBefore(fill, node);
  node.setOutput(0, null);
  fill.setOutput(0, output);
  graph.remove(node);
  return true;
}
