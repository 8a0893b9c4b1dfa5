/** The graph that onnxruntime makes of a model and really runs, and which written node stands behind each of its nodes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSession } from '../backends/session.ts';
import { modelFromProto } from '../graph/from-proto.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { onInterrupt } from '../interrupt.ts';
import { loadModel } from '../onnx/model-file.ts';

/**
 * Below this the constants stay in the graph file: in files with external constants onnxruntime 1.30 writes those of If and
 * Loop bodies twice, which is not valid ONNX.
 */
const inlineLimit = 2 ** 30;

/** The graph that onnxruntime runs, read back from the file it writes at session creation. */
export async function executedModel(emitted: Model, source: string | Model, name: string): Promise<Model> {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const release = onInterrupt(remove);
  const path = join(folder, 'executed.onnx');
  try {
    const extra =
      constantBytes(emitted) > inlineLimit ? { optimized_model_external_initializers_file_name: 'executed.data' } : {};
    await (await openSession(source, { level: 'all', optimizedModelPath: path, extra }, name)).dispose();
    const file = loadModel(path);
    const model = modelFromProto(file.proto, file.dir);
    file.close();
    return model;
  } finally {
    remove();
    release();
  }
}

function constantBytes(model: Model): number {
  let bytes = 0;
  for (const graph of model.graph.graphs())
    for (const value of graph.values.values()) bytes += value.initializer?.byteLength ?? 0;
  return bytes;
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
