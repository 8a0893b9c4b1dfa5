/**
 * Operators that compute along axes: Softmax and its kin, reductions, TopK, DFT and Scan. What was an attribute
 * (axes, k) became an input of most; Softmax and Scan changed their meaning.
 */
import { type Adapter, constant, int64Constant, axesToInput } from '../adapter.ts';
import type { Node } from '../../graph/node.ts';
import type { Size } from '../../graph/shapes/size.ts';
import type { Dim } from '../../graph/value.ts';

/**
 * Softmax, LogSoftmax and Hardmax: until 11 they ran over all axes from `axis` (default 1) on, taken together; since 13 over
 * one axis. The two are the same when at most one of those axes is longer than 1. Where the shape does not tell so, the
 * axes are merged, and taken apart again by the shape at run time.
 */
export const softmax13: Adapter = {
  ops: ['Softmax', 'LogSoftmax', 'Hardmax'],
  version: 13,
  adapt(node, context) {
    const axis = node.int('axis', 1);
    const single = onlyAxis(axis, context.dims ?? node.output()?.dims);
    node.setInt('axis', single ?? -1);
    if (single === undefined) merge(node, axis);
    return true;
  },
};

/** The one axis that the axes from `from` on come down to, or undefined. */
function onlyAxis(from: number, dims: readonly (Size | Dim)[] | undefined): number | undefined {
  if (from === -1) return -1;
  if (!dims || dims.length === 0) return undefined;
  const first = from < 0 ? from + dims.length : from;
  const long = dims.map((dim, axis) => (axis >= first && dim !== 1 ? axis : -1)).filter((axis) => axis >= 0);
  if (first >= dims.length || long.length > 1) return undefined;
  return long[0] ?? first;
}

function merge(node: Node, axis: number): void {
  const graph = node.graph!;
  const input = node.input(0)!;
  const output = node.output()!;
  const shape = graph.makeNode('Shape', [input], { outputs: [`${output.name}_shape`] });
  const flatten = graph.makeNode('Flatten', [input], { outputs: [`${output.name}_flat_input`] });
  flatten.setInt('axis', axis);
  graph.insertBefore(shape, node);
  graph.insertBefore(flatten, node);
  node.setInput(0, flatten.output()!);
  const flat = graph.addValue(`${output.name}_flat`);
  node.setOutput(0, flat);
  const reshape = graph.makeNode('Reshape', [flat, shape.output()!], { outputs: [] });
  reshape.setOutput(0, output);
  graph.insertAfter(reshape, node);
}

/** Reductions: the axes became an input, of ReduceSum five opsets before the others. */
export const reduceSum13: Adapter = { ops: ['ReduceSum'], version: 13, adapt: axesToInput };

export const reduce18: Adapter = {
  ops: [
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSum',
    'ReduceLogSumExp',
    'ReduceMax',
    'ReduceMean',
    'ReduceMin',
    'ReduceProd',
    'ReduceSumSquare',
  ],
  version: 18,
  adapt: axesToInput,
};

/** TopK: k became an input. */
export const topK10: Adapter = {
  ops: ['TopK'],
  version: 10,
  adapt(node) {
    const k = node.int('k');
    if (k === undefined) return false;
    node.attributes.delete('k');
    node.setInput(1, int64Constant(node, 'k', [k]));
    return true;
  },
};

/** DFT: the axis became an input, with another default. */
export const dft20: Adapter = {
  ops: ['DFT'],
  version: 20,
  adapt(node) {
    const axis = node.int('axis', 1);
    node.attributes.delete('axis');
    node.setInput(2, constant(node, 'axis', 'int64', [], BigInt64Array.of(BigInt(axis))));
    return true;
  },
};

/** Scan lost its batch axis and its sequence lengths. No later Scan says what the old form says, so it is refused. */
export const scan9: Adapter = {
  ops: ['Scan'],
  version: 9,
  adapt(_, context) {
    throw context.cannot('it runs over a batch of sequences, which no later Scan does');
  },
};
