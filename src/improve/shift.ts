/**
 * How far the output of a layer is to be shifted, channel by channel, so that the mean of what its activation makes of it is that of the
 * float model. For the mean before a Relu the answer would be plain; behind it noise adds to the mean wherever it carries values over 0,
 * and that is what the next layers read.
 */
import type { TensorValue } from '../onnx/data-types.ts';
import { identity, type BiasedLayer } from './layers.ts';

/** Newton steps where an activation has kinks: it is nearly straight at so small shifts. */
const steps = 3;
/** A channel of which less than this passes its activation tells too little of where a shift would lead. */
const leastActive = 0.02;
/** So many times what the error of the mean would need where the activation is straight: more is no correction. */
const most = 3;

/**
 * Computes the shift of each channel, shrunk by what may be chance: to max(0, 1 - s² / e²) of it; e: mean error over the samples, s: its
 * standard error. A channel that tells too little gets 0.
 *
 * @param wanted means behind the activation in the float model, by sample
 * @param seen the same in the quantized one
 * @param outputs of the layer there, before its activation, of some of the samples; none where there is no activation
 * @returns one number per channel, 0 where there is none
 */
export function shiftOf(
  layer: BiasedLayer,
  wanted: readonly Float32Array[],
  seen: readonly Float32Array[],
  outputs: readonly TensorValue[],
): Float64Array {
  const samples = seen.length;
  const straight = layer.activation === identity;
  const none = new Float64Array(layer.channels);
  const before = straight ? undefined : activeMeans(layer, outputs, none);
  const [errors, squares] = [none.slice(), none.slice()];
  seen.forEach((means, sample) => {
    means.forEach((mean, channel) => {
      const error = wanted[sample]![channel]! - mean;
      errors[channel]! += error / samples;
      squares[channel]! += error ** 2 / samples;
    });
  });
  const shift = before ? newtonShift(layer, errors, outputs, before) : errors;
  return shift.map((value, channel) => {
    const [mean, square] = [errors[channel]!, squares[channel]!];
    const chance = (square - mean ** 2) / (samples - 1);
    const bound = (most * Math.sqrt(square)) / (before?.share[channel] ?? 1);
    const bounded = Math.max(-bound, Math.min(bound, value));
    const shrunk = bounded * Math.max(0, 1 - chance / mean ** 2);
    return Number.isFinite(shrunk) ? shrunk : 0;
  });
}

/** Finds by Newton's method, on the outputs at hand, the shift that moves their means by `by`. */
function newtonShift(
  layer: BiasedLayer,
  by: Float64Array,
  outputs: readonly TensorValue[],
  before: Active,
): Float64Array {
  const shift = new Float64Array(layer.channels);
  for (let step = 0; step < steps; step++) {
    const { means, share } = step === 0 ? before : activeMeans(layer, outputs, shift);
    for (const [channel, part] of share.entries()) {
      if (part >= leastActive) shift[channel]! += (by[channel]! - means[channel]! + before.means[channel]!) / part;
    }
  }
  return shift;
}

interface Active {
  /** Of what the activation makes of the shifted outputs. */
  readonly means: Float64Array;
  /** Of a further shift, what would be left behind the activation: its mean slope. */
  readonly share: Float64Array;
}

function activeMeans(
  { channels, inner, activation: { min, max, leak } }: BiasedLayer,
  outputs: readonly TensorValue[],
  shift: Float64Array,
): Active {
  const [means, share] = [new Float64Array(channels), new Float64Array(channels)];
  let count = 0;
  for (const { dims, data } of outputs) {
    const values = data as Float32Array;
    // Elements of a channel that lie side by side.
    const run = inner === 0 ? 1 : dims.slice(-inner).reduce((product, dim) => product * dim, 1);
    for (let at = 0, channel = 0; at < values.length; at += run, channel = channel + 1 === channels ? 0 : channel + 1) {
      const by = shift[channel]!;
      let [sum, within, below] = [0, 0, 0];
      for (let i = at; i < at + run; i++) {
        const value = values[i]! + by;
        if (value > min && value < max) {
          sum += value;
          within++;
        } else if (value <= min) {
          sum += min + leak * (value - min);
          below++;
        } else sum += max;
      }
      means[channel]! += sum;
      share[channel]! += within + leak * below;
    }
    count += values.length / channels;
  }
  return { means: means.map((sum) => sum / count), share: share.map((slopes) => slopes / count) };
}
