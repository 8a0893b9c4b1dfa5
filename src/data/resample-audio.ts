/**
 * Sound at another rate: convolution with a windowed sinc, one set of coefficients per phase of the reduced ratio, sums in
 * float64. 64 zero crossings to each side under a Kaiser window of 100 dB, cut off at 0.95 of the lower Nyquist frequency: flat
 * up to 0.9 of it, silent above it. The first output sample lies on the first input sample; outside the clip there is silence.
 */

const zeroCrossings = 64;
const rolloff = 0.95;
/** Kaiser's formula for 100 dB: 0.1102 (100 - 8.7). */
const beta = 10.06;

/** What turns clips of rate `from` into clips of rate `to`, both in Hz; n samples become ceil(n · to / from). */
export function audioResampler(from: number, to: number): (clip: Float32Array) => Float32Array {
  if (from === to) return (clip) => clip;
  const divisor = gcd(from, to);
  const [up, down] = [to / divisor, from / divisor];
  const cutoff = rolloff * Math.min(1, to / from);
  const reach = Math.ceil(zeroCrossings / cutoff);
  const taps = 2 * reach;
  const phases: (Float64Array | undefined)[] = [];
  return (clip) => {
    const output = new Float32Array(Math.ceil((clip.length * up) / down));
    for (let i = 0; i < output.length; i++) {
      const position = i * down;
      const phase = position % up;
      const coefficients = (phases[phase] ??= phaseOf(phase / up, cutoff, reach));
      const first = (position - phase) / up - reach + 1;
      const end = Math.min(taps, clip.length - first);
      let sum = 0;
      for (let k = Math.max(0, -first); k < end; k++) sum += coefficients[k]! * clip[first + k]!;
      output[i] = sum;
    }
    return output;
  };
}

/** The weights of the 2 · reach inputs around a point that lies `offset` after the reach-th; their sum is 1. */
function phaseOf(offset: number, cutoff: number, reach: number): Float64Array {
  const weights = Float64Array.from({ length: 2 * reach }, (_, k) => {
    const distance = k - reach + 1 - offset;
    const inside = 1 - (distance / reach) ** 2;
    return inside < 0 ? 0 : sinc(distance * cutoff) * bessel0(beta * Math.sqrt(inside));
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The modified Bessel function I0, by its power series. */
function bessel0(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-17; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
