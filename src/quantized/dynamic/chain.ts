/**
 * What every product of dynamic quantization is made of: the activation quantized to u8 as it comes, an integer product, and the
 * way back to float. In standard operators, in the order that onnxruntime fuses to MatMulIntegerToFloat or DynamicQuantizeMatMul.
 */
import type { Scheme } from '../../backends/targets/target.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import { dataType } from '../../onnx/data-types.ts';
import { Tensor } from '../../onnx/tensor.ts';
import type { WeightLayout } from '../../ops/op.ts';
import type { Constant, Writer } from '../node-rules.ts';
import { codes } from '../quant-params.ts';
import { quantizeWeights, weightScales } from '../weights.ts';
import type { Ties } from './tied.ts';

/** What the rules of dynamic quantization are written with. */
export interface DynamicSettings {
  readonly scheme: Scheme;
  readonly ties: Ties;
}

/** An activation in u8, with the scale and zero point found at run time. */
export interface Codes {
  readonly codes: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

/** Quantizes the value before `node`. Nodes of one graph that read the same value share the result. */
export function quantizeDynamically(value: Value, node: Node): Codes {
  const graph = node.graph!;
  const made = [...value.users.keys()].find((user) => user.is('DynamicQuantizeLinear') && user.graph === graph);
  const quantize =
    made ??
    graph.makeNode('DynamicQuantizeLinear', [value], {
      outputs: [`${value.name}_quantized`, `${value.name}_scale`, `${value.name}_zero_point`],
    });
  if (!made) {
    // A copy in another graph has a numbered output; its node gets the same number.
    quantize.name = quantize.output()!.name.replace(/_quantized(?=(_\d+)?$)/, '_DynamicQuantizeLinear');
    if (value.producer && value.graph === graph) graph.insertAfter(quantize, value.producer);
    else graph.prepend(quantize);
  }
  return { codes: quantize.output(0)!, scale: quantize.output(1)!, zeroPoint: quantize.output(2)! };
}

/** How the codes and scales of a weight are laid out. */
export interface WeightArrangement {
  /** Axis of the constant with a scale per channel; absent: one scale. */
  readonly axis?: number | undefined;
  readonly layout?: WeightLayout | undefined;
  /** Rearranges the codes of the constant; the axis is that of the constant before. */
  readonly arrange?: (codes: Tensor) => Constant;
  /** Dimensions of the scales; default [channels], or none for one scale. */
  readonly scaleDims?: (channels: number) => readonly number[];
}

/** A weight in the graph. */
export interface PlacedWeight {
  readonly codes: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

/** Integer codes, scales and zero points (of the scales' shape) of a constant weight, as constants of the graph. */
export function placeWeight(
  weight: Value,
  key: string,
  arrangement: WeightArrangement,
  { settings: { scheme }, constants }: Writer<DynamicSettings>,
): PlacedWeight {
  const [placed, scale, zeroPoint] = constants(weight, [`${key}quantized`, `${key}scale`, `${key}zero_point`], () => {
    const tensor = weight.constant!;
    const axis = scheme.perChannel ? arrangement.axis : undefined;
    const how = weightScales(tensor, {
      type: scheme.weightType,
      range: scheme.weightRange,
      axis,
      layout: arrangement.layout,
    });
    const quantized = quantizeWeights(tensor, how, weight.name);
    const channels = how.scales.length;
    const dims = arrangement.scaleDims?.(channels) ?? (axis === undefined ? [] : [channels]);
    return [
      arrangement.arrange?.(quantized) ?? { type: scheme.weightType, dims: quantized.dims, data: quantized.data() },
      { type: 'float32', dims, data: how.scales },
      { type: scheme.weightType, dims, data: codes(scheme.weightType, channels).fill(how.zeroPoint) },
    ];
  });
  return { codes: placed!, scale: scale!, zeroPoint: zeroPoint! };
}

/** int32 → float: times both scales, plus a bias. The last node makes the outputs of `node`, which leaves the graph. */
export function backToFloat(
  node: Node,
  product: Node,
  activation: Codes,
  weightScale: Value,
  bias: Value | undefined,
): void {
  const graph = node.graph!;
  const base = node.name || node.output()!.name;
  const step = (op: string, inputs: Value[], suffix: string, outputs = [`${base}_${suffix}`]): Node => {
    const made = graph.makeNode(op, inputs, { name: `${base}_${suffix}`, outputs });
    graph.insertBefore(made, node);
    return made;
  };
  graph.insertBefore(product, node);
  const cast = step('Cast', [product.output()!], 'float');
  cast.setInt('to', dataType('float32').code);
  const scales = step('Mul', [activation.scale, weightScale], 'scales');
  const last = bias
    ? step('Add', [step('Mul', [cast.output()!, scales.output()!], 'scaled').output()!, bias], 'biased', [])
    : step('Mul', [cast.output()!, scales.output()!], 'scaled', []);
  last.name = base;
  takeOutputs(graph, node, last);
}

function takeOutputs(graph: Graph, node: Node, last: Node): void {
  const output = node.output()!;
  node.setOutput(0, null);
  last.setOutput(0, output);
  graph.remove(node);
}
