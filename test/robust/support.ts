/** A model through everything that `qdq quantize` does with it: fuse, plan, calibrate, plan again, emit, run. */
import { createExecutor, openSession } from '../../src/backends/session.ts';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { rangesOf } from '../../src/calibrate/state.ts';
import type { Sample } from '../../src/data/sample.ts';
import { modelFromProto } from '../../src/graph/from-proto.ts';
import type { Model } from '../../src/graph/model.ts';
import { separateNodeNames } from '../../src/graph/names.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { fuse } from '../../src/intrinsic/run.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { decodeModel, encodeModel } from '../../src/onnx/model-file.ts';
import type { ModelProto } from '../../src/onnx/messages.ts';
import { observedTensors, type QdqPlan } from '../../src/quantizable/plan.ts';
import { planQuantization } from '../../src/quantizable/planner.ts';
import { planRanged } from '../../src/quantizable/ranged.ts';
import type { Range } from '../../src/calibrate/ranges.ts';
import { emitQdq } from '../../src/quantized/qdq.ts';
import { datasetOf, sha } from '../calibrate/samples.ts';
import { anyCpu, run, type Feeds } from '../quantized/support.ts';

export interface Through {
  /** The fused float model. */
  readonly fused: Model;
  readonly plan: QdqPlan;
  readonly ranges: ReadonlyMap<string, Range>;
  readonly quantized: Model;
  /** Label → reason of every node left float. */
  readonly float: Record<string, string>;
  /** Operator types that onnxruntime runs for the quantized model, bodies included. */
  readonly executed: readonly string[];
  /** Largest difference between the original's and the quantized model's outputs, over the largest output, by output. */
  readonly difference: Record<string, number>;
}

/** The proto goes through bytes first, as a file's would. The outputs are compared on every sample. */
export async function through(proto: ModelProto, samples: readonly Feeds[]): Promise<Through> {
  const original = modelFromProto(decodeModel(encodeModel(proto)));
  separateNodeNames(original);
  const fused = modelFromProto(decodeModel(encodeModel(proto)));
  await fuse(fused, { executor: createExecutor(), afterPass: (_, model) => checkModel(model) });
  const request = { target: anyCpu, scheme: anyCpu.scheme };
  const wanted = planQuantization(fused, request);
  const dataset = datasetOf(samples.map((inputs, i): Sample => ({ id: `s${i}`, inputs })));
  const state = await calibrate(fused, observedTensors(wanted), dataset, { from: 0 }, { modelSha256: sha });
  const ranges = rangesOf(state);
  const plan = planRanged(fused, request, wanted, ranges);
  const { model: quantized } = emitQdq(fused, plan, ranges);
  checkModel(fused);
  checkModel(quantized);

  const worst = new Map<string, number>();
  const largest = new Map<string, number>();
  const float = await openSession(original, { level: 'disabled' });
  let executed: readonly string[] = [];
  for (const feeds of samples) {
    const expected = await float.run(feeds);
    const { outputs, types } = await run(quantized, feeds);
    executed = types;
    for (const [name, value] of Object.entries(expected)) {
      worst.set(name, Math.max(worst.get(name) ?? 0, distance(value, outputs[name]!)));
      largest.set(name, Math.max(largest.get(name) ?? 0, ...numbers(value).map(Math.abs)));
    }
  }
  await float.dispose();
  const difference = Object.fromEntries([...worst].map(([name, most]) => [name, most && most / largest.get(name)!]));
  const reasons = Object.fromEntries(plan.float.map(({ node, reason }) => [node, reason]));
  return { fused, plan, ranges, quantized, float: reasons, executed, difference };
}

function distance(a: TensorValue, b: TensorValue): number {
  if (a.type !== b.type || String(a.dims) !== String(b.dims)) return Infinity;
  const [x, y] = [numbers(a), numbers(b)];
  return Math.max(0, ...x.map((value, i) => Math.abs(value - y[i]!)));
}

function numbers({ data }: TensorValue): number[] {
  return Array.from(data as ArrayLike<number | bigint>, Number);
}

/** Names of the regions' nodes. */
export function int8Nodes({ regions }: QdqPlan): string[] {
  return regions.map(({ node }) => node);
}
