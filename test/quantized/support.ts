/** Quantizing a small graph in a test: ranges come from running it with every tensor as an output. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSession } from '../../src/backends/session.ts';
import { ortCpuX64Avx2 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import type { Scheme, Target } from '../../src/backends/targets/target.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { modelToProto } from '../../src/graph/to-proto.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { loadModel } from '../../src/onnx/model-file.ts';
import type { Interval } from '../../src/ops/op.ts';
import { observedTensors, type Plan, type QdqPlan } from '../../src/quantizable/plan.ts';
import { planQuantization } from '../../src/quantizable/planner.ts';
import type { Quantized } from '../../src/quantized/format.ts';
import { emitQdq } from '../../src/quantized/qdq.ts';

export type Feeds = Record<string, TensorValue>;

/** Weights that cannot saturate: exact on every CPU that runs the tests. */
export const anyCpu: Target = { ...ortCpuX64Avx2, preferFloat: {} };

export function planFor(
  model: Model,
  scheme: Partial<Scheme> = {},
  target: Target = anyCpu,
  include?: string[],
  exclude?: string[],
): QdqPlan {
  return planQuantization(model, {
    target,
    scheme: { ...target.scheme, ...scheme },
    ...(include ? { include } : {}),
    ...(exclude ? { exclude } : {}),
  });
}

export async function rangesFor(
  model: Model,
  plan: Plan,
  feeds: Feeds,
  names = observedTensors(plan),
): Promise<Map<string, Interval>> {
  const copy = modelFromProto(modelToProto(model));
  for (const name of names) {
    const value = copy.graph.values.get(name)!;
    if (!value.isInput && !value.isOutput) copy.graph.addOutput(value);
  }
  const session = await openSession(copy);
  const results = { ...(await session.run(feeds)), ...feeds };
  await session.dispose();
  return new Map(
    names.map((name) => {
      const range = { min: Infinity, max: -Infinity };
      for (const value of results[name]!.data as Float32Array) {
        range.min = Math.min(range.min, value);
        range.max = Math.max(range.max, value);
      }
      return [name, range];
    }),
  );
}

export async function quantize(model: Model, feeds: Feeds, plan: QdqPlan): Promise<Quantized> {
  const quantized = emitQdq(model, plan, await rangesFor(model, plan, feeds));
  checkModel(model);
  checkModel(quantized.model);
  return quantized;
}

/** Outputs of one run, and the operator types of the graph that onnxruntime really ran. */
export async function run(
  model: Model,
  feeds: Feeds,
  options: { simulate?: boolean; exactInt8?: boolean } = {},
): Promise<{ outputs: Record<string, TensorValue>; types: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'qdq-test-'));
  try {
    const path = join(folder, 'optimized.onnx');
    const session = await openSession(model, { ...options, optimizedModelPath: path });
    const outputs = await session.run(feeds);
    await session.dispose();
    const types = [...modelFromProto(loadModel(path).proto).allNodes()].map((node) => node.opType);
    return { outputs, types };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Largest difference in units of `step`. */
export function steps(a: TensorValue, b: TensorValue, step: number): number {
  let worst = 0;
  (a.data as Float32Array).forEach(
    (x, i) => (worst = Math.max(worst, Math.abs(x - (b.data as Float32Array)[i]!) / step)),
  );
  return worst;
}

export function sqnr(reference: TensorValue, other: TensorValue): number {
  let signal = 0;
  let noise = 0;
  (reference.data as Float32Array).forEach((x, i) => {
    signal += x * x;
    noise += (x - (other.data as Float32Array)[i]!) ** 2;
  });
  return 10 * Math.log10(signal / noise);
}
