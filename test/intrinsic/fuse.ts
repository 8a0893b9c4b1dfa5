/** Fuses a small model, checks everything that must hold of every fusion, and runs both models in onnxruntime. */
import { expect } from 'vitest';
import { createExecutor, openSession } from '../../src/backends/session.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import type { FusionLog } from '../../src/intrinsic/pass.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { encodeModel } from '../../src/onnx/model-file.ts';
import { buildModel, constant, type ModelSpec } from '../support/build.ts';

/** Unit roundoff of float32. */
export const unit = 2 ** -24;

export interface Fused {
  readonly model: Model;
  readonly log: FusionLog;
  /** Operator types of the main graph, in order. */
  readonly ops: string[];
  readonly outputs: Record<string, TensorValue>;
}

export interface Feeds {
  readonly [input: string]: TensorValue;
}

/** Feeds in [-1, 1] that never repeat; shapes by input name. */
export function feed(shapes: Readonly<Record<string, readonly number[]>>): Feeds {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, dims]) => [name, constant('float32', dims) as TensorValue]),
  );
}

/**
 * @param tolerance largest absolute difference of an output element; 0 means bit for bit, up to the sign of zero
 * @param more nodes that may be added: where one operator did inside what two say openly
 */
export async function fuseChecked(
  spec: ModelSpec,
  feeds: Feeds,
  tolerance = 0,
  skip: readonly string[] = [],
  more = 0,
): Promise<Fused> {
  const model = buildModel(spec);
  const before = await run(model, feeds);
  const face = faceOf(model);
  const nodes = [...model.allNodes()].length;
  const executor = createExecutor();
  const afterPass = (_: unknown, each: Model): void => checkModel(each);
  const log = await fuse(model, { executor, skip, afterPass });

  expect([...model.allNodes()].length).toBeLessThanOrEqual(nodes + more);
  expect(faceOf(model)).toEqual(face);
  const bytes = encodeModel(modelToProto(model));
  expect((await fuse(model, { executor, skip })).applied).toEqual([]);
  expect(Buffer.compare(encodeModel(modelToProto(model)), bytes)).toBe(0);

  const outputs = await run(model, feeds);
  for (const [name, value] of Object.entries(before)) {
    expect(outputs[name]!.type).toBe(value.type);
    expect(outputs[name]!.dims).toEqual(value.dims);
    expect(worst(value, outputs[name]!)).toBeLessThanOrEqual(tolerance);
  }
  return { model, log, ops: [...model.graph.nodes()].map((node) => node.opType), outputs };
}

/** The pass applies nothing, no node of the graph changes, and the one refusal of the pass is this one. */
export async function expectRefusal(
  spec: ModelSpec,
  feeds: Feeds,
  pass: string,
  node: string,
  reason: RegExp,
  skip: readonly string[] = [],
): Promise<void> {
  const { log, ops } = await fuseChecked(spec, feeds, 0, skip);
  expect(log.applied.filter((each) => each.pass === pass)).toEqual([]);
  expect(ops).toEqual(spec.nodes.map((each) => each.opType));
  const own = log.refused.filter((each) => each.pass === pass);
  expect(own).toHaveLength(1);
  expect(own[0]!.node).toBe(node);
  expect(own[0]!.reason).toMatch(reason);
}

export async function run(model: Model, feeds: Feeds): Promise<Record<string, TensorValue>> {
  const session = await openSession(model, { level: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

/** Names, types and shapes of what a caller sees. */
function faceOf(model: Model): unknown {
  return { inputs: model.feeds.map((value) => value.info), outputs: modelToProto(model).graph!.output };
}

function worst(a: TensorValue, b: TensorValue): number {
  let largest = 0;
  for (let i = 0; i < a.data.length; i++) {
    const [x, y] = [Number(a.data[i]), Number(b.data[i])];
    if (!Object.is(x, y)) largest = Math.max(largest, x === y ? 0 : Number.isNaN(x - y) ? Infinity : Math.abs(x - y));
  }
  return largest;
}
