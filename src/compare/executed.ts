/**
 * The graph that onnxruntime makes of a model and really runs: read back from the file that it writes at session creation, the written node
 * behind each of its nodes, and each conversion left in it, with what stands on both sides of it and why it could not vanish.
 */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { isDequantize, isQuantize } from './regions.ts';
import type { ConversionRow } from './report.ts';
import { constantBytes, OptimizedGraph, checkRoom } from '../backends/session-files.ts';
import { openSession } from '../backends/session.ts';

/**
 * Below this the constants stay in the graph file: in files with external constants onnxruntime 1.30 writes those of If and
 * Loop bodies twice, which is not valid ONNX.
 */
const inlineLimit = 2 ** 30;

/** Reads the graph that onnxruntime runs. */
export async function executedModel(emitted: Model, source: string | Model, name: string): Promise<Model> {
  const optimized = new OptimizedGraph();
  try {
    const extra =
      constantBytes(emitted) > inlineLimit ? { optimized_model_external_initializers_file_name: 'executed.data' } : {};
    await (await openSession(source, { level: 'all', ...optimized.options, extra }, name)).dispose();
    return optimized.read();
  } catch (error) {
    // onnxruntime does not say that it could not write the graph.
    checkRoom(constantBytes(emitted), error);
    throw error;
  } finally {
    optimized.remove();
  }
}

/** What onnxruntime puts behind the name of a node that it moves to another layout. */
const moved = /(_token_\d+)+$/;

/**
 * Finds the written node behind one that onnxruntime runs. Where it was renamed, it makes the same value, maybe with what followed it
 * folded in; a node in blocked layout is called after that value, and one behind which onnxruntime put a quantizer makes NAME_pre_q.
 * @param written the nodes of `emitted` by label
 */
export function writtenNode(node: Node, emitted: Model, written: ReadonlyMap<string, Node>): Node | undefined {
  const known = written.get(node.label) ?? written.get(node.label.replace(moved, ''));
  if (known) return known;
  const made = /^(.*)_nchwc$/.exec(node.name)?.[1] ?? node.output()?.name ?? '';
  const result = emitted.graph.values.has(made) ? made : made.replace(/_pre_q$/, '');
  let maker = emitted.graph.values.get(result)?.producer;
  const last = maker;
  const op = node.opType.replace(/^Fused/, '');
  for (let steps = 0; maker && maker.opType !== op && steps < 3; steps++) maker = maker.input(0)?.producer;
  return maker?.opType === op ? maker : last;
}

/** Lists the conversions left in the graph. @param why what is known of the nodes that run in float: their names as written, and the reason */
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
