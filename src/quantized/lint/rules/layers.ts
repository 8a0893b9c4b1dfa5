/** What integer kernels take for granted: scales along the output channels, a bias at (input scale × weight scale). */
import { channelAxis, runsOnCodes, sumScales } from '../layers.ts';
import { tensorOf, type ConstantUse } from '../quantizers.ts';
import { listed, type LintRule } from '../rule.ts';

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
