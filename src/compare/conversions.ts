/** Each conversion that onnxruntime left in the graph it runs, with what stands on both sides of it and why it could not vanish. */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { moved } from './executed.ts';
import { isDequantize, isQuantize } from './regions.ts';
import type { ConversionRow } from './report.ts';

/** @param why what is known of the nodes that run in float: their names as written, and the reason */
export function leftConversions(
  executed: Model,
  isConversion: (node: Node) => boolean,
  why: ReadonlyMap<Node, { readonly name: string; readonly reason: string }>,
): ConversionRow[] {
  const inputs = new Set(executed.graph.inputs);
  const called = (node: Node): string => why.get(node)?.name ?? node.label.replace(moved, '');
  const because = (node: Node): string => {
    const known = why.get(node);
    return known ? `'${known.name}' runs in float: ${known.reason}` : `'${called(node)}' takes and gives float`;
  };
  return [...executed.allNodes()].filter(isConversion).map((node) => {
    const input = node.input(0) ?? undefined;
    const output = node.output();
    const users = output === undefined ? [] : [...output.users.keys()];
    return {
      name: node.label,
      op: node.opType,
      from: input?.producer ? called(makerBehind(input.producer)) : (input?.name ?? ''),
      to: [...users.map(readerBehind).map(called), ...(output?.isOutput ? [output.name] : [])],
      reason: reasonOf(node, input, output, users, inputs, because),
    };
  });
}

function reasonOf(
  node: Node,
  input: Value | undefined,
  output: Value | undefined,
  users: readonly Node[],
  inputs: ReadonlySet<Value>,
  because: (node: Node) => string,
): string {
  if (node.opType === 'DynamicQuantizeLinear') return 'its scale is found anew in every run';
  const maker = input?.producer;
  if (isQuantize(node)) {
    if (input !== undefined && inputs.has(input)) return 'the input of the model is float';
    if (isDequantize(maker)) return 'codes of one scale become codes of another';
    return maker ? because(makerBehind(maker)) : 'what it quantizes comes from outside this graph';
  }
  if (output?.isOutput) return 'the output of the model is float';
  if (users.length > 0 && users.every(isQuantize)) return 'codes of one scale become codes of another';
  const reader = users.find((user) => !isQuantize(user));
  return reader ? because(readerBehind(reader)) : 'what it gives is read in an inner graph';
}

/** Nodes that onnxruntime puts in to change the layout, and no more. */
function changesLayout(node: Node): boolean {
  return (
    node.is('ReorderInput', 'ReorderOutput') || (node.is('Transpose') && /^Transpose(_token_\d+)*$/.test(node.name))
  );
}

function makerBehind(node: Node): Node {
  const before = changesLayout(node) ? node.input(0)?.producer : undefined;
  return before ? makerBehind(before) : node;
}

function readerBehind(node: Node): Node {
  const after = changesLayout(node) ? node.output()?.soleUser : undefined;
  return after ? readerBehind(after) : node;
}
