/** What quantization did to the constants, channel by channel: no data is needed for it. */
import type { Tensor } from '../../onnx/tensor.ts';
import { mostChannels, type TensorRow } from '../report-details.ts';
import { codeLimits, runsOf, type Quantizer } from './quantizers.ts';
import { clipOf, decibels } from './tally.ts';

type WeightFacts = Pick<TensorRow, 'isolated' | 'range' | 'channels'>;

/**
 * @param float the constant that was quantized, of equal dimensions; undefined when it is not known: then only the range of the
 * codes can be told
 */
export function weightFacts(quantizer: Quantizer, codes: Tensor, float: Tensor | undefined): WeightFacts {
  const values = codes.floats();
  const { scales, zeroPoints } = quantizer;
  const { outer, slots, inner, scaleAt } = runsOf(quantizer, codes.dims);
  const { qmin, qmax } = codeLimits(quantizer);
  const reference = float?.floats();
  const perChannel = quantizer.axis !== undefined && quantizer.block === 0;
  const channels = perChannel ? scales.length : codes.dims.length > 1 ? codes.dims[0]! : 1;
  const channelSize = values.length / channels;
  const [low, high] = [new Float64Array(channels).fill(Infinity), new Float64Array(channels).fill(-Infinity)];
  const [signals, noises] = [new Float64Array(channels), new Float64Array(channels)];
  let [steps, saturated, zeroed] = [0, 0, 0];
  for (let o = 0; o < outer; o++) {
    for (let s = 0; s < slots; s++) {
      const at = scaleAt(o, s);
      const [scale, zero] = [scales[at]!, zeroPoints[at]!];
      const start = (o * slots + s) * inner;
      for (let i = start; i < start + inner; i++) {
        const channel = perChannel ? at : Math.floor(i / channelSize);
        const y = Math.fround((values[i]! - zero) * scale);
        const x = reference ? reference[i]! : y;
        if (x < low[channel]!) low[channel] = x;
        if (x > high[channel]!) high[channel] = x;
        signals[channel]! += x * x;
        noises[channel]! += (x - y) * (x - y);
        steps += scale * scale;
        if (y === 0 && x !== 0) zeroed++;
        // Half a step beyond the last code still rounds to it.
        if (x > (qmax - zero + 0.5) * scale || x < (qmin - zero - 0.5) * scale) saturated++;
      }
    }
  }
  const sum = (list: Float64Array): number => list.reduce((total, each) => total + each, 0);
  const noise = sum(noises);
  const isolated = {
    sqnrDb: decibels(sum(signals), noise),
    rmseOverScale: steps === 0 ? 0 : Math.sqrt(noise / steps),
    saturatedPct: (100 * saturated) / values.length,
    zeroedPct: (100 * zeroed) / values.length,
  };
  const scaleOf = (channel: number): number => (perChannel ? scales[channel]! : scales[0]!);
  return {
    ...(reference && values.length > 0 && { isolated }),
    ...(values.length > 0 && { range: { min: Math.min(...low), max: Math.max(...high), ...clipOf(quantizer) } }),
    ...(channels > 1 && {
      channels: channelRows(low, high, scaleOf, reference && ((c) => decibels(signals[c]!, noises[c]!))),
    }),
  };
}

function channelRows(
  low: Float64Array,
  high: Float64Array,
  scaleOf: (channel: number) => number,
  sqnrOf: ((channel: number) => number) | undefined,
): NonNullable<TensorRow['channels']> {
  const magnitude = (channel: number): number => Math.max(Math.abs(low[channel]!), Math.abs(high[channel]!));
  const order = Array.from(low, (_, channel) => channel).sort((a, b) => magnitude(b) - magnitude(a) || a - b);
  const median = magnitude(order[order.length >> 1]!);
  const largest = magnitude(order[0]!);
  const shown = Math.min(mostChannels, order.length);
  const picked = Array.from({ length: shown }, (_, i) => order[Math.round((i * (order.length - 1)) / (shown - 1))]!);
  return {
    count: order.length,
    spread: median === 0 ? (largest === 0 ? 1 : Infinity) : largest / median,
    shown: picked.map((index) => ({
      index,
      min: low[index]!,
      max: high[index]!,
      scale: scaleOf(index),
      ...(sqnrOf && { sqnrDb: sqnrOf(index) }),
    })),
  };
}
