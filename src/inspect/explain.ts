/**
 * Why a model is, or would be, as it is: every fusion made and refused, every int8 region, every node left float, each with its
 * reason. For a float model this is what `quantize` would do; for an int8 model, what onnxruntime really runs.
 */
import { chosenTarget } from '../pipeline/scheme.ts';
import type { FixedParameters } from '../backends/targets/target.ts';
import { openModel } from '../compare/models.ts';
import { findPlacement } from '../compare/placement.ts';
import type { NodeRow, Placement } from '../compare/report.ts';
import { modelFromProto } from '../graph/from-proto.ts';
import { valueFinder, type Model } from '../graph/model.ts';
import type { Applied, Refused } from '../intrinsic/pass.ts';
import { loadModel } from '../onnx/model-file.ts';
import type { Interval } from '../ops/op.ts';
import { openFused, survivors } from '../pipeline/source/source.ts';
import { readStamp, type Stamp } from '../pipeline/stamp.ts';
import { opsetsFor } from '../pipeline/source/upgrade.ts';
import { plannedTensors, toFloatNode, type FloatNode, type RegionPlan, type TensorPlan } from '../quantizable/plan.ts';
import { parseOverride } from '../quantizable/overrides.ts';
import { resolveScheme } from '../quantizable/scheme.ts';
import { configureWithOverrides } from '../quantized/formats/index.ts';
import type { InspectOptions } from './inspect.ts';

export interface FixedRange {
  readonly tensor: string;
  /** Type of the operator that gives it. */
  readonly op?: string;
  readonly range?: Interval;
  /** Instead of a range: what the target's kernel insists on. */
  readonly parameters?: FixedParameters;
}

export type Explanation =
  | {
      readonly kind: 'float';
      readonly path: string;
      readonly target: string;
      readonly scheme: string;
      readonly applied: readonly Applied[];
      readonly refused: readonly Refused[];
      readonly regions: readonly RegionPlan[];
      /** Activations whose range follows from their operator or from the kernel of the target: samples are not asked. */
      readonly fixed: readonly FixedRange[];
      readonly float: readonly FloatNode[];
    }
  | {
      readonly kind: 'int8';
      readonly path: string;
      /** What qdq wrote into the model; undefined for a model quantized by another tool. */
      readonly stamp: Stamp | undefined;
      readonly placement: Placement;
      readonly nodes: readonly NodeRow[];
    };

export interface ExplainOptions extends InspectOptions {
  /** See SchemeFlags. */
  readonly override?: readonly string[];
}

/** @throws QdqError when the file cannot be read or loaded, for unknown targets and patterns, or when nothing can be quantized */
export async function explainModel(path: string, options: ExplainOptions = {}): Promise<Explanation> {
  const file = loadModel(path);
  const model = modelFromProto(file.proto, file.dir);
  if ([...model.allNodes()].some((node) => node.is('DequantizeLinear'))) {
    const stamp = readStamp(model);
    const opened = openModel(path);
    const { placement, nodes } = await findPlacement(opened.model, opened.source, path, stamp?.float ?? []);
    return { kind: 'int8', path, stamp, placement, nodes };
  }
  const target = chosenTarget(options.target);
  const scheme = resolveScheme(target, {});
  const form = configureWithOverrides('qdq', target, scheme, {}, (options.override ?? []).map(parseOverride));
  const opsets = opsetsFor(options.opset, Math.max(form.leastOpset, target.opset.least), target.fusedOpset);
  const { model: fused, log } = await openFused(path, { threads: 1 }, { ...opsets, asDeclared: true });
  const plan = form.plan(fused, { ...options, target, scheme, fused: survivors(log) });
  const { applied, refused } = log;
  return {
    kind: 'float',
    path,
    target: target.name,
    scheme: form.description,
    applied,
    refused,
    regions: plan.regions,
    fixed: plannedTensors(plan)
      .filter(({ source }) => source === 'fixed')
      .map((tensor) => fixedRange(fused, tensor)),
    float: plan.float.map(toFloatNode),
  };
}

function fixedRange(model: Model, { name, range, parameters }: TensorPlan): FixedRange {
  const op = valueFinder(model)(name)?.producer?.opType;
  return { tensor: name, ...(op !== undefined && { op }), ...(range && { range }), ...(parameters && { parameters }) };
}
