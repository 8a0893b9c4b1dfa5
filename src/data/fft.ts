/**
 * The discrete Fourier transform of real numbers, of any length: mixed radix (Cooley and Tukey 1965), a plain sum over each prime
 * factor. The windows of speech models are often no power of two (Whisper's are 400), but have small factors. Sums are in float64.
 */

export interface Transform {
  /** |X_k|² for k = 0 … floor(n / 2) of the n numbers given, into `power`. */
  powers(values: Float64Array, power: Float64Array): void;
}

export function realTransform(n: number): Transform {
  const [cos, sin] = [Math.cos, Math.sin].map((f) =>
    Float64Array.from({ length: n }, (_, k) => f((-2 * Math.PI * k) / n)),
  );
  const factors = primeFactors(n);
  const [re, im] = [new Float64Array(n), new Float64Array(n)];
  const largest = Math.max(1, ...factors);
  const [partRe, partIm] = [new Float64Array(largest), new Float64Array(largest)];

  /** The transform of every `step`-th value from `first` on, into the places from `to` on. */
  const transform = (values: Float64Array, first: number, step: number, to: number, level: number): void => {
    const length = n / step;
    if (length === 1) {
      re[to] = values[first]!;
      im[to] = 0;
      return;
    }
    const radix = factors[level]!;
    const part = length / radix;
    for (let r = 0; r < radix; r++) transform(values, first + r * step, step * radix, to + r * part, level + 1);
    for (let k = 0; k < part; k++) {
      for (let r = 0; r < radix; r++) {
        const [x, y, turn] = [re[to + r * part + k]!, im[to + r * part + k]!, r * k * step];
        partRe[r] = x * cos![turn]! - y * sin![turn]!;
        partIm[r] = x * sin![turn]! + y * cos![turn]!;
      }
      for (let q = 0; q < radix; q++) {
        let [sumRe, sumIm] = [partRe[0]!, partIm[0]!];
        for (let r = 1; r < radix; r++) {
          const turn = (q * r * part * step) % n;
          sumRe += partRe[r]! * cos![turn]! - partIm[r]! * sin![turn]!;
          sumIm += partRe[r]! * sin![turn]! + partIm[r]! * cos![turn]!;
        }
        re[to + q * part + k] = sumRe;
        im[to + q * part + k] = sumIm;
      }
    }
  };
  return {
    powers(values, power) {
      transform(values, 0, 1, 0, 0);
      for (let k = 0; k < power.length; k++) power[k] = re[k]! ** 2 + im[k]! ** 2;
    },
  };
}

function primeFactors(n: number): number[] {
  const factors: number[] = [];
  let left = n;
  for (let divisor = 2; left > 1; divisor++) {
    while (left % divisor === 0) {
      factors.push(divisor);
      left /= divisor;
    }
  }
  return factors;
}
