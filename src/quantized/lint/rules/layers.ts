/**
 * Rules for layers: what integer kernels take for granted. What fuses them looks at where quantizers stand, and hardly at what those
 * say: kernels read the scales of a weight as those of the output channels, and add an int32 bias at (input scale × weight scale).
 * onnxruntime computes a layer with scales on another axis wrongly, without a word; one with another bias scale it leaves float since
 * 1.30 (beyond one per cent), while older versions and other runtimes add a wrong bias.
 */
import type { Node } from '../../../graph/node.ts';
import type { Tensor } from '../../../onnx/tensor.ts';
import { specOf } from '../../../ops/index.ts';
import { listed, tensorOf, type ConstantUse, type LintRule } from '../rule.ts';

export const weightAxis: LintRule = {
  id: 'weight-axis',
  text: () => 'scales of weights along the output channels',
  *check({ quantizers }) {
    for (const use of quantizers.weights) {
      const { reader, node, scale } = use;
      // Files need not say what lies between quantizers: behind a pair the float constant does.
      const codes = node.input(0);
      const dims = reader.input(use.input)?.dims ?? codes?.dims ?? codes?.producer?.input(0)?.dims;
      // Scales in blocks have the rank of the weight, and no integer kernel.
      if (!scale || scale.size === 1 || scale.dims.length !== 1 || !dims || !runsOnCodes(reader)) continue;
      const given = node.int('axis', 1);
      const axis = given < 0 ? given + dims.length : given;
      const read = channelAxis(reader, dims.length);
      if (axis === read) continue;
      const kernel = read === undefined ? 'takes one scale' : `reads them along axis ${read}, its output channels`;
      yield {
        node: reader.label,
        tensor: tensorOf(use),
        message: `its ${scale.size} scales lie along axis ${axis}, and onnxruntime's integer kernel of ${reader.opType} ${kernel}`,
        remedy: `quantize the weight ${read === undefined ? 'with one scale' : `along axis ${read}`}, or leave the bias of the layer float`,
      };
    }
  },
};

/** Tools compute the product in float32 or float64; what is nearer than this cannot be seen in any output. */
const tolerance = 1e-4;

export const biasScale: LintRule = {
  id: 'bias-scale',
  text: ({ encoding }) => (encoding.bias === 'float' ? undefined : 'an int32 bias at input scale × weight scale'),
  *check({ quantizers }) {
    for (const use of quantizers.biases) {
      const wrong = mismatch(use);
      if (wrong === undefined) continue;
      const { reader, node } = use;
      const sharing = sharers(use);
      const shared = sharing.length > 1;
      const where = wrong.channels > 1 ? `scale of channel ${wrong.channel}` : 'scale';
      yield {
        node: reader.label,
        tensor: tensorOf({ node }),
        message:
          `its ${where} is ${wrong.found}, not input scale × weight scale (${wrong.wanted}), at which integer kernels add it` +
          (shared ? `; ${listed(sharing, 'and')} share it` : ''),
        remedy: shared
          ? 'give each layer a bias of its own: qdq quantize of the float model does'
          : 'quantize the bias at that scale, as qdq does, or leave it float',
      };
    }
  },
};

/** A channel whose bias has the wrong scale. */
interface Mismatch {
  readonly channels: number;
  readonly channel: number;
  readonly found: number;
  readonly wanted: number;
}

/** The first channel whose bias means something else to an integer kernel; a code of 0 is 0 at any scale. */
function mismatch({ node, reader, scale, type }: ConstantUse): Mismatch | undefined {
  const codes = node.input(0)?.constant;
  const wanted = sumScales(reader);
  if (type !== 'int32' || !codes || !scale || !wanted) return undefined;
  const [own, values] = [scale.floats(), codes.ints()];
  const channel = values.findIndex((code, i) => {
    const found = own[own.length === 1 ? 0 : i]!;
    const meant = wanted[wanted.length === 1 ? 0 : i]!;
    return Number(code) !== 0 && !(Math.abs(found - meant) <= tolerance * Math.abs(meant));
  });
  if (channel < 0) return undefined;
  const [found, meant] = [own, wanted].map((scales) => scales[scales.length === 1 ? 0 : channel]!) as [number, number];
  return { channels: values.length, channel, found, wanted: meant };
}

/** Layers that read the same codes as their bias. */
function sharers({ node }: ConstantUse): string[] {
  const dequantizers = [...(node.input(0)?.users.keys() ?? [])].filter((user) => user.is('DequantizeLinear'));
  const layers = dequantizers.flatMap((each) => [...(each.output()?.users.keys() ?? [])]);
  return [...new Set(layers)].map((layer) => `'${layer.label}'`);
}

/** What is demanded of a bias: int32 with a zero point, without one, or float. */
const texts = {
  int32: undefined,
  'int32-without-zero-point': 'no zero point on a DequantizeLinear of int32 (a bias)',
  float: 'biases in float',
};

export const bias: LintRule = {
  id: 'bias',
  text: ({ encoding }) => texts[encoding.bias],
  *check({ target, quantizers }) {
    const { bias: wanted } = target.encoding;
    for (const use of quantizers.biases) {
      const wrong =
        wanted === 'float'
          ? 'it is quantized'
          : wanted === 'int32-without-zero-point' && use.type === 'int32' && use.hasZeroPoint
            ? 'its DequantizeLinear of int32 has a zero point'
            : undefined;
      if (wrong === undefined) continue;
      const remedy = `quantize again with --target ${target.name}, which ${wanted === 'float' ? 'leaves biases float' : 'leaves it out (it is 0)'}`;
      yield { node: use.reader.label, tensor: tensorOf(use), message: wrong, remedy };
    }
  },
};

/** Operators whose integer kernels take weights. They write float too, unless they convolve. */
const kernels: ReadonlyMap<string, { readonly floatOutput: boolean }> = new Map([
  ['Conv', { floatOutput: false }],
  ['Gemm', { floatOutput: true }],
  ['MatMul', { floatOutput: true }],
]);

/** Whether onnxruntime would compute this layer on codes. */
function runsOnCodes(node: Node): boolean {
  const kernel = node.domain === '' ? kernels.get(node.opType) : undefined;
  if (!kernel || ![0, 1].every((index) => isDequantized(node, index))) return false;
  if (node.input(2) && !isDequantized(node, 2)) return false;
  return kernel.floatOutput || isQuantized(node);
}

/** The axis along which a layer's kernel reads the scales of a weight of this rank; undefined: it takes one scale. */
function channelAxis(node: Node, rank: number): number | undefined {
  return specOf(node)?.weight?.(node, rank).axis;
}

/** What an integer kernel multiplies the sum of a channel by: input scale × weight scale, in float32. Undefined when one is computed. */
function sumScales(node: Node): Float32Array | undefined {
  const [input, weight] = [0, 1].map((index) => scaleOf(node, index)?.floats());
  if (input?.length !== 1 || !weight) return undefined;
  return Float32Array.from(weight, (scale) => Math.fround(input[0]! * scale));
}

function scaleOf(node: Node, index: number): Tensor | undefined {
  return isDequantized(node, index) ? node.input(index)!.producer!.constant(1) : undefined;
}

function isDequantized(node: Node, index: number): boolean {
  return node.input(index)?.producer?.is('DequantizeLinear') === true;
}

/** Whether a QuantizeLinear alone reads the result, perhaps through Relu or Clip. */
function isQuantized(node: Node): boolean {
  let user = node.output()?.soleUser;
  while (user && specOf(user)?.clamp) user = user.output()?.soleUser;
  return user?.is('QuantizeLinear') === true;
}
