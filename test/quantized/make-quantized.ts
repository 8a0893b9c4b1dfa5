/** Making a model of any format in a test, without a pipeline around it. */
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import type { Target } from '../../src/backends/targets/target.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import type { TensorValue } from '../../src/onnx/data-types.ts';
import { observedTensors } from '../../src/quantizable/plan.ts';
import type { FormatFlags, Quantized } from '../../src/quantized/format.ts';
import { configureFormat } from '../../src/quantized/formats/index.ts';
import { rangesFor, type Feeds } from './support.ts';

export interface Made extends Quantized {
  /** "Op: reason" of every node left float. */
  readonly float: readonly string[];
}

export interface Settings extends FormatFlags {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly target?: Target;
  /** For formats that need ranges. */
  readonly feeds?: Feeds;
}

export async function make(format: string, model: Model, settings: Settings = {}): Promise<Made> {
  const { include, exclude, target = ortCpuX64, feeds, ...flags } = settings;
  const form = configureFormat(format, target.scheme, flags);
  const request = { target, scheme: target.scheme, ...(include ? { include } : {}), ...(exclude ? { exclude } : {}) };
  const plan = form.plan(model, request);
  const ranges = observedTensors(plan).length > 0 ? await rangesFor(model, plan, feeds!) : new Map();
  const quantized = form.emit(model, plan, ranges);
  checkModel(model);
  checkModel(quantized.model);
  return { ...quantized, float: plan.float.map(({ op, reason }) => `${op}: ${reason}`) };
}

/** Numbers with the distribution of weights and activations, the same for a seed. */
export function gaussian(length: number, seed = 1): Float32Array {
  let state = seed;
  const uniform = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  return Float32Array.from({ length }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

export function feed(dims: number[], seed = 7): TensorValue {
  return {
    type: 'float32',
    dims,
    data: gaussian(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
  };
}
