/**
 * The linear layers (Conv, ConvTranspose, Gemm, MatMul with a constant matrix) and how a per-channel map before or behind
 * one is folded into its weight and bias: in float64, rounded once. What is worked out is a Fold, so that several layers
 * can be judged before the first is changed.
 */
import type { Node } from '../graph/node.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Affine } from './affine.ts';
import { doubles, fits, isFloatType, roundTo, setConstant, type Content, type FloatType } from './edit.ts';
import type { Facts } from '../graph/facts.ts';

/**
 * A weight seen as [groups, rows, columns, inner]; of rows and columns one counts the output channels of a group, the
 * other its input channels.
 */
interface Layout {
  readonly groups: number;
  readonly rows: number;
  readonly columns: number;
  /** Taps of the kernel. */
  readonly inner: number;
  readonly rowsAreOutputs: boolean;
}

export interface Layer {
  readonly node: Node;
  readonly weight: Tensor;
  readonly type: FloatType;
  readonly layout: Layout;
  readonly inputs: number;
  readonly outputs: number;
  /** Rank of input 0 and of the result; only that of a MatMul may be unknown. */
  readonly rank: number | undefined;
  /** Axis of the channels, counted from the end: -1 is the last. */
  readonly axis: number;
}

/** New constants for some inputs of a node, all of them rounded and finite. */
export interface Fold {
  readonly node: Node;
  readonly constants: readonly { readonly index: number; readonly content: Content; readonly base: string }[];
}

/** True for a node that layerOf may take. */
export function isLinear(node: Node): boolean {
  return node.is('Conv', 'ConvTranspose', 'Gemm') || (node.is('MatMul') && node.constant(1) !== undefined);
}

/** The layer, or the reason why its weight cannot be changed. */
export function layerOf(node: Node, opset: number, facts: Facts): Layer | string {
  const weight = node.constant(1);
  if (!weight) return `the weight of '${node.label}' is not constant`;
  const type = weight.type.name;
  if (!isFloatType(type)) return `the weight of '${node.label}' is ${type}`;
  if (weight.size === 0) return `the weight of '${node.label}' is empty`;
  const [first, second] = weight.dims as [number, number];
  if (node.is('Conv', 'ConvTranspose')) {
    const groups = node.int('group', 1);
    const rowsAreOutputs = node.is('Conv');
    const layout = { groups, rows: first / groups, columns: second, inner: weight.size / (first * second) };
    const [rows, columns] = [first, second * groups];
    const [inputs, outputs] = rowsAreOutputs ? [columns, rows] : [rows, columns];
    const rank = weight.dims.length;
    return { node, weight, type, layout: { ...layout, rowsAreOutputs }, inputs, outputs, rank, axis: 1 - rank };
  }
  if (weight.dims.length !== 2) return `the weight of '${node.label}' has rank ${weight.dims.length}, not 2`;
  if (opset < 7) return `opset ${opset} has no Gemm whose bias is broadcast`;
  const rowsAreOutputs = node.int('transB', 0) !== 0;
  const layout: Layout = { groups: 1, rows: first, columns: second, inner: 1, rowsAreOutputs };
  const [inputs, outputs] = rowsAreOutputs ? [second, first] : [first, second];
  const rank = node.is('Gemm') ? 2 : facts.of(node.input(0)).rank;
  return { node, weight, type, layout, inputs, outputs, rank, axis: -1 };
}

/** Why this MatMul cannot become a Gemm, whose input is a matrix; undefined for the other layers. */
export function notMatrix({ node, rank }: Layer): string | undefined {
  if (!node.is('MatMul') || rank === 2) return undefined;
  return `the input of '${node.label}' ${rank === undefined ? 'has an unknown rank' : `has rank ${rank}`}, not 2`;
}

/** A map behind the layer: W' = W · gain and b' = b · gain + shift per output channel. */
export function foldBehind(layer: Layer, { gain, shift }: Affine): Fold | string {
  const bias = biasOf(layer);
  if (typeof bias === 'string') return bias;
  const weights = scaled(layer, gain, 'outputs');
  const channels = layer.outputs;
  const biases = bias.values.map((value, i) => value * gain[i % channels]! + shift[i % channels]!);
  return foldOf(layer, weights, bias, biases);
}

/**
 * A map in front of the layer: W' = W · gain per input channel and b' = b + W · shift. Padding stays zero under a gain
 * but not under a shift, which would have to reach it.
 */
export function foldBefore(layer: Layer, { gain, shift }: Affine): Fold | string {
  const { node } = layer;
  if (node.int('transA', 0) !== 0) return `'${node.label}' transposes its input`;
  const bias = biasOf(layer);
  if (typeof bias === 'string') return bias;
  const shifts = shift.some((value) => value !== 0);
  if (shifts && node.is('ConvTranspose')) return `fewer taps of '${node.label}' reach the border than the middle`;
  if (shifts && isPadded(layer)) return `'${node.label}' pads its input with zeros, to which nothing was added`;
  const biases = Float64Array.from(bias.values);
  if (shifts) {
    const alpha = node.is('Gemm') ? Math.fround(node.float('alpha', 1)) : 1;
    const weight = doubles(layer.weight);
    eachKernel(layer, (start, end, input, output) => {
      let sum = 0;
      for (let i = start; i < end; i++) sum += weight[i]!;
      for (let i = output; i < biases.length; i += layer.outputs) biases[i]! += alpha * sum * shift[input]!;
    });
  }
  return foldOf(layer, scaled(layer, gain, 'inputs'), bias, biases);
}

/** A MatMul that gets a bias becomes a Gemm; beta is in the bias by now. */
export function applyFold({ node, constants }: Fold): void {
  for (const { index, content, base } of constants) setConstant(node, index, content, base);
  if (!isLinear(node) || constants.length < 2) return;
  if (node.is('MatMul')) node.opType = 'Gemm';
  node.attributes.delete('beta');
}

/**
 * `node` maps its input by a constant, and so that its readers can take the map over each gets its Fold. Returns the
 * reason why one of them cannot, nothing changed.
 */
export function foldForward(
  node: Node,
  readers: readonly Node[],
  judge: (reader: Node) => Fold | string,
): string | undefined {
  const folds: Fold[] = [];
  for (const reader of readers) {
    const fold = judge(reader);
    if (typeof fold === 'string') return fold;
    folds.push(fold);
  }
  const output = node.output();
  const source = node.inputs.find((value) => value && !value.isConstant)!;
  for (const fold of folds) applyFold(fold);
  for (const reader of readers) reader.setInput(reader.inputs.indexOf(output!), source);
  node.graph!.remove(node);
  return undefined;
}

interface Bias {
  readonly dims: readonly number[];
  readonly values: Float64Array;
  readonly absent: boolean;
}

/** The bias as it is added today: zeros when absent, beta · C broadcast to [channels] or [rows, channels] for Gemm. */
function biasOf({ node, outputs }: Layer): Bias | string {
  const value = node.is('MatMul') ? undefined : node.input(2);
  if (!value) return { dims: [outputs], values: new Float64Array(outputs), absent: true };
  const tensor = value.constant;
  if (!tensor) return `the bias of '${node.label}' is not constant`;
  const content = doubles(tensor);
  if (!node.is('Gemm')) return { dims: [outputs], values: content, absent: false };
  const beta = Math.fround(node.float('beta', 1));
  const [rows, columns] = [tensor.dims.at(-2) ?? 1, tensor.dims.at(-1) ?? 1];
  const values = new Float64Array(rows * outputs);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / outputs);
    values[i] = beta * content[row * columns + (columns === 1 ? 0 : i % outputs)]!;
  }
  return { dims: tensor.dims.length === 2 ? [rows, outputs] : [outputs], values, absent: false };
}

/** Calls back with the range of elements that lead from one input channel to one output channel. */
function eachKernel(
  { layout: { groups, rows, columns, inner, rowsAreOutputs } }: Layer,
  visit: (start: number, end: number, input: number, output: number) => void,
): void {
  let start = 0;
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, start += inner) {
        const [r, c] = [group * rows + row, group * columns + column];
        visit(start, start + inner, rowsAreOutputs ? c : r, rowsAreOutputs ? r : c);
      }
    }
  }
}

/** The largest magnitude among the weights of each input or output channel. */
export function channelMagnitudes(layer: Layer, side: 'inputs' | 'outputs'): Float64Array {
  const weight = doubles(layer.weight);
  const most = new Float64Array(layer[side]);
  eachKernel(layer, (start, end, input, output) => {
    const channel = side === 'inputs' ? input : output;
    for (let i = start; i < end; i++) most[channel] = Math.max(most[channel]!, Math.abs(weight[i]!));
  });
  return most;
}

function scaled(layer: Layer, gain: Float64Array, side: 'inputs' | 'outputs'): Float64Array {
  const weight = doubles(layer.weight);
  const result = new Float64Array(weight.length);
  eachKernel(layer, (start, end, input, output) => {
    const factor = gain[side === 'inputs' ? input : output]!;
    for (let i = start; i < end; i++) result[i] = weight[i]! * factor;
  });
  return result;
}

/** Rounds both; a bias that was absent and is still zero stays absent. */
function foldOf(layer: Layer, weights: Float64Array, bias: Bias, biases: Float64Array): Fold | string {
  const { node, weight, type } = layer;
  const stem = weight.name.replace(/(^|[._/])weight$/, '$1');
  const w = { type, dims: weight.dims, data: roundTo(type, weights) };
  const b = { type, dims: bias.dims, data: roundTo(type, biases) };
  if (!fits(w.data, type) || !fits(b.data, type)) return `the folded weight or bias does not fit ${type}`;
  const constants = [{ index: 1, content: w, base: weight.name }];
  if (bias.absent && biases.every((value) => value === 0)) return { node, constants };
  const broad = notMatrix(layer);
  if (broad !== undefined) return broad;
  const base = stem === weight.name ? `${weight.name}_bias` : `${stem}bias`;
  return { node, constants: [...constants, { index: 2, content: b, base }] };
}

/** Whether zeros stand around the input. With auto_pad SAME a kernel of one tap needs none. */
export function isPadded({ node, layout }: Layer): boolean {
  if (!node.is('Conv')) return false;
  const mode = node.string('auto_pad', 'NOTSET');
  if (mode === 'VALID') return false;
  if (mode !== 'NOTSET') return layout.inner > 1;
  return node.ints('pads')?.some((pad) => pad !== 0) ?? false;
}
