/**
 * Fake-quantized model + loss → one graph that computes, for one batch, the loss and the gradient of every parameter. The
 * parameters are inputs, so that one session serves all steps; so are what the loss compares with: the teacher's outputs, and
 * the targets made of labels. Shapes are static: one batch is traced. The loss `features` compares what the fake quantizers make with
 * the teacher's values of the same names. There is one training graph per phase of live BatchNormalization.
 */
import { finetuneErrors } from '../errors/finetune.ts';
import { copyModel } from '../graph/from-proto.ts';
import { Emitter } from '../graph/emitter.ts';
import type { Executor, Model } from '../graph/model.ts';
import type { Graph } from '../graph/graph.ts';
import { bypass } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { removeDead } from '../graph/walk.ts';
import { Tensor } from '../onnx/tensor.ts';
import { dataType, elementCount, type TensorValue } from '../onnx/data-types.ts';
import { staticDims } from '../ops/gradient/context.ts';
import { specOf } from '../ops/index.ts';
import { differentiate, influences } from './differentiate.ts';
import { findFakeQuants } from './fake-quant.ts';
import { enliven, normParameters, type Statistics } from './live-norm.ts';
import { lossOf, type Compared, type LossTerm } from './losses.ts';
import type { NormRecord } from './norm-record.ts';
import { findParameters, gatherParameters, type Parameter } from './parameters.ts';
import { resizeMaps } from './tracing.ts';
import { unrollRecurrent } from './unroll.ts';

/** A graph that computes loss and gradients of one batch. */
export interface TrainingGraph {
  readonly model: Model;
  /** Those on which the loss depends. */
  readonly parameters: readonly Parameter[];
  /** Names of the outputs: the loss, and its terms in the order they were asked for. */
  readonly loss: string;
  readonly terms: readonly string[];
  /** By parameter, in their order; of a statistic what the batch shows, undefined where it rests. */
  readonly gradients: readonly (string | undefined)[];
  /** Inputs for what the teacher says, by the name of its value: an output, or an activation inside. */
  readonly teacher: ReadonlyMap<string, string>;
  /** Input for the targets, [batch, classes]; undefined without a loss on labels. */
  readonly target: { readonly name: string; readonly classes: number } | undefined;
}

/** Reads types and shapes of all values from one run (`traceShapes`). */
export type Trace = (model: Model, feeds: Readonly<Record<string, TensorValue>>) => Promise<void>;

/** BatchNormalization that takes part, and with which statistics. */
export interface LiveNorms {
  readonly norms: readonly NormRecord[];
  readonly statistics: Statistics;
}

/**
 * @param source fake-quantized, opset 16 or later
 * @param feeds one batch, in the size of all others
 * @param live of a model of `unfoldNorms`
 * @throws QAT_CLASSES, QAT_NOTHING_TO_TRAIN; QAT_NOT_DIFFERENTIABLE with the nodes in the way
 */
export async function buildTrainingGraph(
  source: Model,
  terms: readonly LossTerm[],
  feeds: Readonly<Record<string, TensorValue>>,
  batch: number,
  trace: Trace,
  executor: Executor,
  live: LiveNorms = { norms: [], statistics: 'running' },
): Promise<TrainingGraph> {
  const model = copyModel(source);
  const { graph } = model;
  const inside = quantizedActivations(model);
  dropImpliedRelus(model);
  await trace(model, feeds);
  const own = findParameters(model, (value) => elementCount(value.dims as number[]) / batch);
  if (own.length === 0) throw finetuneErrors.nothingToTrain();
  const parameters = [...own, ...normParameters(live.norms, own)];
  unrollRecurrent(model);
  asInputs(graph, parameters);
  const seen = enliven(graph, live.norms, live.statistics);

  const emit = new Emitter(graph, 'loss');
  const teacher = new Map<string, string>();
  let target: TrainingGraph['target'];
  const outputs = [...new Set(graph.outputs)];
  const teacherOf = (asked: string, dims: readonly number[]): Value => {
    const name = teacher.get(asked);
    if (name !== undefined) return graph.values.get(name)!;
    const input = graph.addInput(`teacher/${asked}`, dataType('float32').code, dims);
    teacher.set(asked, input.name);
    return input;
  };
  const targetOf = (output: Value): Value => {
    if (target) return graph.values.get(target.name)!;
    const input = graph.addInput('target', dataType('float32').code, output.dims);
    target = { name: input.name, classes: output.dims![1] as number };
    return input;
  };
  const weightedBy = (value: Value, weight: number): { value: Value; weighted: Value } => ({
    value,
    weighted: weight === 1 ? value : emit.op('Mul', [value, emit.scalar(weight)]),
  });
  const parts = terms.map(({ loss: id, weight, temperature }) => {
    const loss = lossOf(id);
    emit.scope = `loss/${id}`;
    if (loss.compares === 'activations') {
      if (inside.size === 0) throw finetuneErrors.noActivations(id);
      const errors = [...inside].map(([name, output]) => {
        const dims = staticDims(output);
        return loss.build(emit, { output, dims, wanted: teacherOf(name, dims) }, { batch, temperature });
      });
      const value = emit.op('Mul', [emit.op('Sum', errors), emit.scalar(1 / errors.length)]);
      return weightedBy(value, weight);
    }
    const compared = outputs.filter(
      (output) => loss.takes(output.dims as number[], batch) && output.type === 'float32',
    );
    if (compared.length === 0)
      throw finetuneErrors.noClasses(
        id,
        outputs.map((output) => ({ name: output.name, dims: output.dims! })),
      );
    const chosen = loss.needs === 'labels' ? compared.slice(0, 1) : compared;
    const pairs = chosen.map((output): Compared => ({
      output,
      dims: output.dims as number[],
      wanted: loss.needs === 'labels' ? targetOf(output) : teacherOf(output.name, output.dims as number[]),
    }));
    const values = pairs.map((pair) => loss.build(emit, pair, { batch, temperature }));
    const sum = values.length === 1 ? values[0]! : emit.op('Sum', values);
    return weightedBy(sum, weight);
  });
  emit.scope = 'loss';
  const total =
    parts.length === 1
      ? parts[0]!.weighted
      : emit.op(
          'Sum',
          parts.map(({ weighted }) => weighted),
        );
  const loss = emit.op('Identity', [total]);
  const values = gatherParameters(source, parameters);
  await trace(model, { ...feeds, ...placeholders(graph, feeds), ...parameterFeeds(parameters, values) });

  const learned = parameters.filter(({ kind }) => kind !== 'statistic');
  const wanted = influences(
    graph,
    loss,
    learned.map(({ name }) => graph.values.get(name)!),
  );
  const reached = new Set(wanted.map(({ name }) => name));
  const trained = learned.filter(({ name }) => reached.has(name));
  if (trained.length === 0) throw finetuneErrors.nothingToTrain();
  const others = learned.filter((parameter) => !trained.includes(parameter));
  asConstants(graph, others, values);
  const gradients = differentiate(graph, loss, wanted, await resizeMaps(model, executor));
  // A gradient may be another's, or no node's result: each gets an output of its own.
  const statistics = parameters.filter(({ kind }) => kind === 'statistic');
  const named = [...trained, ...statistics].map(({ name }) => {
    const value = gradients.get(graph.values.get(name)!) ?? seen.get(name);
    return value && new Emitter(graph, `gradient/${name}`).op('Identity', [value]);
  });
  const termOutputs = parts.map(({ value }) => emit.op('Identity', [value]));
  setOutputs(graph, [loss, ...termOutputs, ...named.filter((value) => value !== undefined)]);
  removeDead(graph);
  return {
    model,
    parameters: contiguous([...trained, ...statistics]),
    loss: loss.name,
    terms: termOutputs.map(({ name }) => name),
    gradients: named.map((value) => value?.name),
    teacher,
    target,
  };
}

/** Makes inputs of the parameters of the model, which is left as it is otherwise: to evaluate them as they are trained. */
export function buildForwardGraph(source: Model, parameters: readonly Parameter[]): Model {
  const model = copyModel(source);
  asInputs(model.graph, parameters);
  return model;
}

/** Cuts the flat array into the inputs of the graph. */
export function parameterFeeds(parameters: readonly Parameter[], flat: Float32Array): Record<string, TensorValue> {
  return Object.fromEntries(
    parameters.map(({ name, dims, offset, length }) => [
      name,
      { type: 'float32' as const, dims, data: flat.subarray(offset, offset + length) },
    ]),
  );
}

/** Makes the parameters inputs of the graph. */
function asInputs(graph: Graph, parameters: readonly Parameter[]): void {
  for (const { name, dims } of parameters) {
    const value = graph.values.get(name)!;
    value.initializer = undefined;
    value.isInput = true;
    value.setType(dataType('float32').code, dims);
    graph.inputs.push(value);
  }
}

/** Finds what the fake quantizers of activations make, by the name of what they quantize; inputs, which have no error to unlearn, apart. */
export function quantizedActivations(model: Model): Map<string, Value> {
  const found = findFakeQuants(model).filter(
    ({ input, quantize }) => quantize.graph === model.graph && !input.isConstant && !input.isInput,
  );
  return new Map(found.map(({ input, dequantize }) => [input.name, dequantize[0]!.output()!]));
}

/** The reverse of `asInputs`, for those on which the loss does not depend. */
function asConstants(graph: Graph, parameters: readonly Parameter[], flat: Float32Array): void {
  for (const { name, dims, offset, length } of parameters) {
    const value = graph.values.get(name)!;
    value.initializer = Tensor.of(name, 'float32', [...dims], flat.slice(offset, offset + length));
    value.isInput = false;
    graph.inputs.splice(graph.inputs.indexOf(value), 1);
  }
}

/** Codes that begin at the zero point limit at 0 like the Relu before them, whatever the scale is trained to. */
function dropImpliedRelus(model: Model): void {
  for (const { quantize, zeroPoint, limits } of findFakeQuants(model)) {
    const relu = quantize.input(0)!.producer;
    const interval = relu && specOf(relu)?.clamp?.(relu);
    const zeros = zeroPoint ? zeroPoint.constant?.ints() : [0];
    if (interval?.min !== 0 || interval.max !== Infinity || !zeros?.every((zero) => zero === limits.qmin)) continue;
    if (quantize.input(0)!.soleUser === quantize) bypass(relu!, relu!.input(0)!);
  }
}

/** Zeros, or a small slope, for inputs that only the loss reads. */
function placeholders(graph: Graph, feeds: Readonly<Record<string, TensorValue>>): Record<string, TensorValue> {
  const made: Record<string, TensorValue> = {};
  for (const { name, isInput, dims } of graph.values.values()) {
    if (!isInput || name in feeds) continue;
    const data = Float32Array.from({ length: elementCount(dims as number[]) }, (_, i) => (i % 7) / 7);
    made[name] = { type: 'float32', dims: dims as number[], data };
  }
  return made;
}

function setOutputs(graph: Graph, outputs: readonly Value[]): void {
  for (const output of new Set(graph.outputs)) output.outputOf.delete(graph);
  graph.outputs.length = 0;
  for (const output of outputs) graph.addOutput(output);
}

/** Parameters without a gradient leave gaps. */
function contiguous(parameters: readonly Parameter[]): Parameter[] {
  let offset = 0;
  return parameters.map((parameter) => {
    const moved = { ...parameter, offset };
    offset += parameter.length;
    return moved;
  });
}
