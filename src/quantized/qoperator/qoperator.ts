/**
 * The format QOperator: operators on codes (QLinearConv, QLinearMatMul, QGemm, QLinearAdd, ...), what onnxruntime makes of a QDQ model,
 * written down. For runtimes that do not fuse QDQ, and for sessions that must open fast.
 *
 * It is a lowering of the QDQ model, so that both have one emission: DequantizeLinear → operator → QuantizeLinear becomes one operator
 * on codes. What an operator becomes is in kernels.ts; here is how the groups are found. A group without an integer kernel stays what
 * it is: a float island.
 */
import { formatErrors } from '../../errors/quantized.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import { removeDead, sortNodes, topological } from '../../graph/walk.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { specOf } from '../../ops/index.ts';
import type { Interval } from '../../ops/op.ts';
import type { QdqPlan } from '../../quantizable/plan.ts';
import { planQuantization } from '../../quantizable/planner.ts';
import { planRanged } from '../../quantizable/ranged.ts';
import { describeScheme, leastOpset } from '../../quantizable/scheme.ts';
import type { ConfiguredFormat, Format } from '../format.ts';
import { emitQdq } from '../qdq.ts';
import { clamp, codes, roundHalfEven, type IntegerType } from '../quant-params.ts';
import { kernels, type Codes, type Group } from './kernels.ts';

/** The operator set with Clip and MaxPool on codes. */
const codesOpset = 12;

export const qoperator: Format = {
  name: 'qoperator',
  summary: 'operators on codes: QLinearConv, QLinearMatMul, QGemm, QLinearAdd, ...',
  perNode: true,
  configure(scheme): ConfiguredFormat<QdqPlan> {
    for (const type of [scheme.activationType, scheme.weightType]) {
      if (!type.endsWith('int8')) throw formatErrors.eightBits('qoperator', type);
    }
    return {
      format: 'qoperator',
      description: `QOperator, ${describeScheme(scheme)}`,
      settings: {},
      static: true,
      leastOpset: Math.max(codesOpset, leastOpset(scheme)),
      plan: planQuantization,
      refine: planRanged,
      emit(model, plan, ranges) {
        const quantized = emitQdq(model, plan, ranges);
        lowerToQOperators(quantized.model);
        return quantized;
      },
    };
  },
};

/** Lowers, in place, every group that has a kernel. */
export function lowerToQOperators(model: Model): void {
  for (const graph of model.graph.graphs()) {
    for (const node of topological(graph)) lower(node, model.opset);
  }
  removeDead(model.graph);
  sortNodes(model.graph);
  if ([...model.allNodes()].some(({ domain }) => domain === 'com.microsoft')) model.opsets.set('com.microsoft', 1);
}

function lower(node: Node, opset: number): void {
  const kernel = node.domain === '' ? kernels.get(node.opType) : undefined;
  if (!kernel) return;
  const outputs = node.outputs.map((value) => (value ? resultOf(value) : undefined));
  const [first] = outputs;
  const group: Group = {
    node,
    opset,
    input: (index) => sourceOf(node.input(index)),
    output: first,
  };
  const quantized = outputs.every((output) => output !== undefined);
  const made = quantized || kernel.floatOutput ? kernel.lower(group) : undefined;
  if (!made) return;
  node.graph!.insertBefore(made, node);
  if (!quantized) {
    const output = node.output()!;
    node.setOutput(0, null);
    made.setOutput(0, output);
    return;
  }
  outputs.forEach((output, index) => {
    const { quantize, clamps, codes: result } = output!;
    quantize.setOutput(0, null);
    if (clamps.length === 0) made.setOutput(index, result);
    else clipCodes(made, index, output!);
  });
}

/** Codes where a node reads the result of a DequantizeLinear. */
function sourceOf(value: Value | undefined): Codes | undefined {
  const node = value?.producer;
  if (!node?.is('DequantizeLinear') || !node.input(2)) return undefined;
  return { codes: node.input(0)!, scale: node.input(1)!, zeroPoint: node.input(2)! };
}

/** Where the codes of a result are made. */
interface Result extends Codes {
  readonly quantize: Node;
  /** What the limits of Relu and Clip nodes on the way leave of the real line. */
  readonly clamps: readonly Interval[];
}

/** The quantizer that alone reads the value, directly or behind limiting activations. */
function resultOf(value: Value): Result | undefined {
  const clamps: Interval[] = [];
  let current = value;
  for (;;) {
    const user = current.soleUser;
    if (!user || user.graph !== value.graph || user.input(0) !== current) return undefined;
    if (user.is('QuantizeLinear') && user.input(2)) {
      return { quantize: user, clamps, codes: user.output()!, scale: user.input(1)!, zeroPoint: user.input(2)! };
    }
    const limits = specOf(user)?.clamp?.(user);
    if (!limits) return undefined;
    clamps.push(limits);
    current = user.output()!;
  }
}

/** Appends the limits that the output's own range does not enforce, on codes. */
function clipCodes(made: Node, index: number, { clamps, codes: result, scale, zeroPoint }: Result): void {
  const graph: Graph = made.graph!;
  const type = zeroPoint.constant!.type.name as IntegerType;
  const zero = zeroPoint.constant!.ints()[0]!;
  const step = scale.constant!.floats()[0]!;
  const [lowest, highest] = type === 'uint8' ? [0, 255] : [-128, 127];
  const min = Math.max(...clamps.map((limits) => limits.min));
  const max = Math.min(...clamps.map((limits) => limits.max));
  const limit = (real: number, name: string): Value => {
    const code = clamp(roundHalfEven(real / step) + zero, lowest, highest);
    return graph.addInitializer(Tensor.of(`${result.name}_${name}`, type, [], codes(type, 1).fill(code)));
  };
  const free = graph.addValue(`${result.name}_unclipped`);
  made.setOutput(index, free);
  const clip = graph.makeNode('Clip', [free, limit(min, 'min'), limit(max, 'max')], {
    name: `${made.name}_clip`,
    outputs: [],
  });
  graph.insertAfter(clip, made);
  clip.setOutput(0, result);
}
