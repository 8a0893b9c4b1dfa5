/** The graph that onnxruntime makes of a model and really runs, and which written node stands behind each of its nodes. */
import { constantBytes, OptimizedGraph, checkRoom } from '../backends/session-files.ts';
import { openSession } from '../backends/session.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';

/**
 * Below this the constants stay in the graph file: in files with external constants onnxruntime 1.30 writes those of If and
 * Loop bodies twice, which is not valid ONNX.
 */
const inlineLimit = 2 ** 30;

/** The graph that onnxruntime runs, read back from the file it writes at session creation. */
export async function executedModel(emitted: Model, source: string | Model, name: string): Promise<Model> {
  const optimized = new OptimizedGraph();
  try {
    const extra =
      constantBytes(emitted) > inlineLimit ? { optimized_model_external_initializers_file_name: 'executed.data' } : {};
    await (await openSession(source, { level: 'all', ...optimized.options, extra }, name)).dispose();
    return optimized.read(true);
  } catch (error) {
    // onnxruntime does not say that it could not write the graph.
    checkRoom(constantBytes(emitted), error);
    throw error;
  } finally {
    optimized.remove();
  }
}

/** What onnxruntime puts behind the name of a node that it moves to another layout. */
export const moved = /(_token_\d+)+$/;

/**
 * The written node behind one that onnxruntime runs. Where it was renamed, it makes the same value, maybe with what followed it
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
