/**
 * Statistics of tensors inside bodies, brought out to the main graph through the outputs of the nodes that own the bodies. An
 * If gives the same outputs whichever branch runs, so the other branch gives the neutral element of the reduction. Loop and
 * Scan stack one result per iteration, which are then reduced to one: no iteration gives the neutral element, too.
 */
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import { dataType } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { append } from './probe.ts';

export const reductions = {
  min: { op: 'ReduceMin', neutral: Infinity },
  max: { op: 'ReduceMax', neutral: -Infinity },
  sum: { op: 'ReduceSum', neutral: 0 },
} as const;

export type Reduction = (typeof reductions)[keyof typeof reductions];

/**
 * @param value float32, one element, of shape [1, …]; its graph may be the main graph
 * @param shape that shape, as a constant of the main graph
 * @returns the same in the main graph
 */
export function lift(value: Value, reduction: Reduction, shape: Value): Value {
  const body = value.graph;
  const owner = body.owner;
  const outer = owner?.graph;
  if (!owner || !outer) return value;
  const type = dataType('float32').code;
  const dims = Array.from({ length: shape.initializer!.size }, () => 1);
  for (const each of owner.subgraphs()) {
    const output = each === body ? value : constant(each, reduction.neutral, dims);
    output.setType(type, dims);
    each.addOutput(output);
  }
  const result = outer.addValue(`${value.name}_${owner.opType}`);
  // The first output of a Loop's body is its condition, which the Loop does not hand on.
  owner.setOutput(body.outputs.length - (owner.is('Loop') ? 2 : 1), result);
  if (owner.is('If')) {
    result.setType(type, dims);
    return lift(result, reduction, shape);
  }
  for (const list of ['scan_output_axes', 'scan_output_directions']) {
    const values = owner.ints(list);
    if (values) owner.setInts(list, [...values, 0]);
  }
  return lift(append(outer, 'Reshape', [append(outer, reduction.op, [result]), shape]), reduction, shape);
}

function constant(graph: Graph, value: number, dims: readonly number[]): Value {
  const node = graph.append(graph.makeNode('Constant', [], { outputs: ['neutral'] }));
  node.setTensor('value', Tensor.of('', 'float32', [...dims], Float32Array.of(value)));
  return node.output()!;
}
