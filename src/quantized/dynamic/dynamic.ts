/**
 * Dynamic quantization: weights in int8, activations quantized as they come. No samples are needed, and every product adapts to its
 * input. For transformers and recurrent nets; a CNN runs faster in QDQ.
 *
 * NaN before a quantizer that finds its scale at run time takes the scale away from the whole tensor. Where the model removes NaN
 * behind the product (calibrate/nan-flow.ts), it is removed before it as well: rows in which everything is masked give NaN in Softmax.
 *
 * To add an operator: write its rule in rules.ts or recurrent.ts and list it here.
 */
import { guardedValues, passesNaN } from '../../calibrate/nan-flow.ts';
import { formatErrors } from '../../errors/quantized.ts';
import { copyModel } from '../../graph/from-proto.ts';
import type { Graph } from '../../graph/graph.ts';
import { valueFinder, type Model } from '../../graph/model.ts';
import type { Value } from '../../graph/value.ts';
import { topological } from '../../graph/walk.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { infiniteValues } from '../../ops/infinite.ts';
import type { NodePlan } from '../../quantizable/plan.ts';
import { describeScheme } from '../../quantizable/scheme.ts';
import type { ConfiguredFormat, Format } from '../format.ts';
import { emitNodes, planNodes, type NodeRule } from '../node-rules.ts';
import type { DynamicSettings } from './chain.ts';
import { lstm, recurrent } from './recurrent.ts';
import { attention, conv, gather, gemm, matmul } from './rules.ts';
import { noTies, tiesIn } from './tied.ts';

const rules: readonly NodeRule<DynamicSettings>[] = [matmul, gemm, lstm, recurrent, attention, gather, conv];

export const dynamic: Format = {
  name: 'dynamic',
  summary: 'weights in int8, activations quantized at run time (MatMulInteger, DynamicQuantizeLSTM)',
  mixes: { order: 0, observes: false },
  configure(scheme): ConfiguredFormat<NodePlan> {
    if (!scheme.weightType.endsWith('int8')) throw formatErrors.eightBits('dynamic', scheme.weightType);
    // DynamicQuantizeLinear knows u8 only.
    const own = { ...scheme, activationType: 'uint8', activationSymmetric: false } as const;
    const settings: DynamicSettings = { scheme: own, ties: noTies };
    return {
      format: 'dynamic',
      description: `dynamic, ${describeScheme(settings.scheme)}`,
      settings: {},
      // DequantizeLinear with an axis.
      leastOpset: 13,
      plan: (model, request) => planNodes(model, { ...request, scheme: own }, rules, settings, 'dynamic'),
      refine: (_model, _request, plan) => plan,
      emit: (model, plan) =>
        emitNodes(withoutGuardedNaN(model, plan), plan, rules, { ...settings, ties: tiesIn(model, plan, settings) }),
    };
  },
};

/** Removes the NaN that the model removes later. The given model is left as it is; it is the result where no node of the plan can meet such NaN. */
function withoutGuardedNaN(source: Model, plan: NodePlan): Model {
  if (!maskedSoftmaxes(source)) return source;
  const model = copyModel(source);
  const find = valueFinder(model);
  const doubtful = doubtfulValues(model);
  for (const { tensor } of plan.regions) {
    const node = find(tensor)!.producer!;
    node.inputs.forEach((value, index) => {
      if (value && doubtful.has(value)) node.setInput(index, cleaned(value, node.graph!));
    });
  }
  return model;
}

function maskedSoftmaxes(model: Model): boolean {
  return [...model.allNodes()].some((node) => node.is('Softmax')) && infiniteValues(model).size > 0;
}

/** Values that may hold NaN: behind a Softmax over infinities, before the guard. */
function doubtfulValues(model: Model): Set<Value> {
  const { graph } = model;
  const [infinite, guarded] = [infiniteValues(model), guardedValues(graph)];
  const doubtful = new Set<Value>();
  for (const node of topological(graph)) {
    const made = node.is('Softmax') && infinite.has(node.input(0)!);
    const handedOn =
      node.domain === '' && passesNaN.has(node.opType) && node.inputs.some((value) => value && doubtful.has(value));
    if (!made && !handedOn) continue;
    for (const value of node.outputs) if (value && guarded.has(value)) doubtful.add(value);
  }
  return doubtful;
}

function cleaned(value: Value, graph: Graph): Value {
  const base = `${value.name}_without_NaN`;
  const made = graph.values.get(base);
  if (made) return made;
  const zero = graph.addInitializer(Tensor.of(`${base}_zero`, 'float32', [], Float32Array.of(0)));
  const test = graph.makeNode('IsNaN', [value], { name: `${base}_IsNaN`, outputs: [`${value.name}_is_NaN`] });
  graph.insertAfter(test, value.producer!);
  const choice = graph.makeNode('Where', [test.output()!, zero, value], { name: base, outputs: [base] });
  graph.insertAfter(choice, test);
  return choice.output()!;
}
