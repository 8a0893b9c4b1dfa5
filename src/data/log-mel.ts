/**
 * Log-mel spectrograms, as speech models are fed with: windows of sound, their spectra, the energy in bands that are evenly spaced to the
 * ear, and its logarithm. The definitions are those of librosa (`filters.mel`, `feature.melspectrogram`), which PyTorch's torchaudio and
 * Whisper share up to the options. Sums are in float64, rounded once.
 *
 * The spectra are discrete Fourier transforms of real numbers, of any length n, because windows are often no power of two (Whisper's are
 * 400):
 *
 *     X_k = Σ x_j · exp(-2πi · j · k / n), j = 0 … n - 1
 *
 * by mixed radix (Cooley and Tukey 1965), with a plain sum over each prime factor.
 */

/** The choices of the options below, as users write them. */
export const windows = ['hann', 'hamming', 'none'] as const;
export const centers = ['reflect', 'zero', 'none'] as const;
export const scales = ['slaney', 'htk'] as const;
export const norms = ['slaney', 'none'] as const;
export const logs = ['ln', 'log10', 'db', 'whisper', 'none'] as const;

/** How a spectrogram is made. */
export interface MelOptions {
  /** Hz. */
  readonly rate: number;
  /** Number of bands. */
  readonly mel: number;
  /** Samples of a spectrum, of the window in its middle, and from one window to the next. */
  readonly fft: number;
  readonly win: number;
  readonly hop: number;
  /** Periodic. */
  readonly window: (typeof windows)[number];
  /** What stands around the clip, so that the first window is centred on its first sample; none: windows lie inside. */
  readonly center: (typeof centers)[number];
  /** Whether the last window is left out, as Whisper does. */
  readonly last: 'keep' | 'drop';
  /** Slaney: linear below 1 kHz, logarithmic above. HTK: 2595 log10(1 + f / 700). */
  readonly scale: (typeof scales)[number];
  /** Slaney: bands of equal area. None: of equal height. */
  readonly norm: (typeof norms)[number];
  /** Hz. */
  readonly fmin: number;
  readonly fmax: number;
  /** Exponent of the magnitude. */
  readonly power: 1 | 2;
  /** db: 10 log10. whisper: log10, at most 8 below the largest, plus 4, over 4. */
  readonly log: (typeof logs)[number];
  /** Energies below count as this much. */
  readonly floor: number;
  /** Taken off at the end, and what the rest is divided by. */
  readonly mean: number;
  readonly std: number;
}

type Framing = Pick<MelOptions, 'fft' | 'hop' | 'center' | 'last'>;

/** The number of windows in a clip of so many samples; below 1 there are none. */
export function windowCount(length: number, { fft, hop, center, last }: Framing): number {
  const room = center === 'none' ? length - fft : length + 2 * (fft >> 1) - fft;
  return room < 0 ? 0 : Math.floor(room / hop) + (last === 'drop' ? 0 : 1);
}

/** The least samples in which there are so many windows. */
export function samplesFor(windows: number, { fft, hop, center, last }: Framing): number {
  const room = (windows - (last === 'drop' ? 0 : 1)) * hop;
  return center === 'none' ? room + fft : room + fft - 2 * (fft >> 1);
}

type Spectrogram = (clip: Float32Array) => Float32Array;

/** Makes what turns clips into [mel, windows], band by band. */
export function logMel(options: MelOptions): Spectrogram {
  const { mel, fft, hop, center, power } = options;
  const shape = windowOf(options);
  const bands = melBands(options);
  const { powers } = realTransform(fft);
  const spectrum = new Float64Array((fft >> 1) + 1);
  const part = new Float64Array(fft);
  const before = center === 'none' ? 0 : fft >> 1;
  return (clip) => {
    const count = Math.max(0, windowCount(clip.length, options));
    const energies = new Float64Array(mel * count);
    for (let t = 0; t < count; t++) {
      for (let i = 0; i < fft; i++) part[i] = shape[i]! * at(clip, t * hop - before + i, center);
      powers(part, spectrum);
      if (power === 1) spectrum.forEach((value, k) => (spectrum[k] = Math.sqrt(value)));
      for (let band = 0; band < mel; band++) {
        const { first, weights } = bands[band]!;
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * spectrum[first + k]!;
        energies[band * count + t] = sum;
      }
    }
    return compress(energies, options);
  };
}

function at(clip: Float32Array, position: number, center: MelOptions['center']): number {
  if (position >= 0 && position < clip.length) return clip[position]!;
  if (center !== 'reflect' || clip.length === 0) return 0;
  // There and back again, the ends once each.
  const period = Math.max(1, 2 * (clip.length - 1));
  const folded = ((position % period) + period) % period;
  return clip[folded < clip.length ? folded : period - folded]!;
}

/**
 * The window in the middle of `fft` samples: a - (1 - a) · cos(2πi / win) at sample i, with a = 0.5 (Hann), 0.54 (Hamming) or 1 (none).
 */
function windowOf({ window, win, fft }: MelOptions): Float64Array {
  const shape = new Float64Array(fft);
  const begin = (fft - win) >> 1;
  const base = window === 'hann' ? 0.5 : window === 'hamming' ? 0.54 : 1;
  for (let i = 0; i < win; i++) shape[begin + i] = base - (1 - base) * Math.cos((2 * Math.PI * i) / win);
  return shape;
}

interface Band {
  /** Of the first frequency with a weight. */
  readonly first: number;
  readonly weights: Float64Array;
}

/** Triangles between neighbouring points that are evenly spaced on the scale. */
function melBands({ rate, mel, fft, scale, norm, fmin, fmax }: MelOptions): Band[] {
  const { toMel, toHz } = scaleOf[scale];
  const [low, high] = [toMel(fmin), toMel(fmax)];
  const points = Float64Array.from({ length: mel + 2 }, (_, i) => toHz(low + ((high - low) * i) / (mel + 1)));
  return Array.from({ length: mel }, (_, band) => {
    const [left, peak, right] = [points[band]!, points[band + 1]!, points[band + 2]!];
    const height = norm === 'slaney' ? 2 / (right - left) : 1;
    const all = Float64Array.from({ length: (fft >> 1) + 1 }, (_, k) => {
      const hz = (k * rate) / fft;
      return height * Math.max(0, Math.min((hz - left) / (peak - left), (right - hz) / (right - peak)));
    });
    const first = all.findIndex((weight) => weight > 0);
    const end = all.findLastIndex((weight) => weight > 0) + 1;
    return first < 0 ? { first: 0, weights: new Float64Array(0) } : { first, weights: all.slice(first, end) };
  });
}

/** Slaney's Auditory Toolbox: 3 mel per 200 Hz up to 1 kHz, then 27 per factor of 6.4. */
const [knee, kneeMel, step] = [1000, 15, Math.log(6.4) / 27];
const scaleOf = {
  slaney: {
    toMel: (hz: number) => (hz < knee ? (3 * hz) / 200 : kneeMel + Math.log(hz / knee) / step),
    toHz: (mel: number) => (mel < kneeMel ? (200 * mel) / 3 : knee * Math.exp(step * (mel - kneeMel))),
  },
  htk: {
    toMel: (hz: number) => 2595 * Math.log10(1 + hz / 700),
    toHz: (mel: number) => 700 * (10 ** (mel / 2595) - 1),
  },
} as const;

function compress(energies: Float64Array, { log, floor, mean, std }: MelOptions): Float32Array {
  const least = (value: number): number => Math.max(value, floor);
  if (log === 'ln') energies.forEach((value, i) => (energies[i] = Math.log(least(value))));
  else if (log === 'db') energies.forEach((value, i) => (energies[i] = 10 * Math.log10(least(value))));
  else if (log !== 'none') energies.forEach((value, i) => (energies[i] = Math.log10(least(value))));
  if (log === 'whisper') {
    const top = energies.reduce((most, value) => Math.max(most, value), -Infinity);
    energies.forEach((value, i) => (energies[i] = (Math.max(value, top - 8) + 4) / 4));
  }
  return Float32Array.from(energies, (value) => (value - mean) / std);
}

interface Transform {
  /** |X_k|² for k = 0 … floor(n / 2) of the n numbers given, into `power`. */
  powers(values: Float64Array, power: Float64Array): void;
}

/** Makes the transform of n real numbers; its tables are made once. */
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
