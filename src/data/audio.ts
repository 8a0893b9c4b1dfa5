/**
 * Clips of sound: WAVE files, read to mono float32, and clips at another rate.
 *
 * WAVE files (RIFF, and the extensible form of the Microsoft multimedia standards) are a header of chunks, then interleaved samples. A mono
 * sample is the mean of the channels, integers divided by 2^(bits-1), so that full scale is -1 to 1.
 *
 * Resampling is a convolution with a windowed sinc, one set of coefficients per phase of the reduced ratio, sums in float64. 64 zero
 * crossings to each side under a Kaiser window of 100 dB, cut off at 0.95 of the lower Nyquist frequency: flat up to 0.9 of it, silent
 * above it. The first output sample lies on the first input sample; outside the clip there is silence.
 */
import { dataErrors } from '../errors/data.ts';
import type { RandomAccess } from './random-access.ts';

/** What a WAVE file says of its samples. */
export interface WavHeader {
  /** Samples per second. */
  readonly rate: number;
  readonly channels: number;
  readonly bits: number;
  readonly float: boolean;
  /** Of the first sample, from the start of the file. */
  readonly dataOffset: number;
  /** Number of samples per channel. */
  readonly length: number;
}

const wavFormats = { pcm: 1, float: 3, extensible: 0xfffe } as const;
/** What writers to a pipe put where they do not know the size yet. */
const unknownSize = 0xffffffff;

/** Reads the chunks up to the samples. @throws DATA_WAV */
export async function readWavHeader(file: RandomAccess): Promise<WavHeader> {
  if (file.size < 12) throw dataErrors.wavBroken(file.name, 'it is too short');
  const start = await file.read(0, 12);
  if (start.toString('latin1', 0, 4) !== 'RIFF' || start.toString('latin1', 8, 12) !== 'WAVE')
    throw dataErrors.wavBroken(file.name, 'it does not begin as one');
  let format: Omit<WavHeader, 'dataOffset' | 'length'> | undefined;
  for (let at = 12; at + 8 <= file.size;) {
    const chunk = await file.read(at, 8);
    const id = chunk.toString('latin1', 0, 4);
    const size = chunk.readUInt32LE(4);
    const body = at + 8;
    if (id === 'fmt ') {
      if (size < 16 || body + size > file.size) throw dataErrors.wavBroken(file.name, 'its format chunk is damaged');
      format = readFormat(await file.read(body, Math.min(size, 40)), file.name);
    } else if (id === 'data') {
      if (!format) throw dataErrors.wavBroken(file.name, 'its data comes before its format');
      const bytes = size === unknownSize ? file.size - body : size;
      if (body + bytes > file.size) throw dataErrors.wavBroken(file.name, 'it is cut short');
      const length = Math.floor(bytes / ((format.bits / 8) * format.channels));
      if (length === 0) throw dataErrors.wavBroken(file.name, 'it holds no sound');
      return { ...format, dataOffset: body, length };
    }
    // Chunks begin at even offsets.
    at = body + size + (size % 2);
  }
  throw dataErrors.wavBroken(file.name, 'it has no data');
}

/** The whole clip, mono, float32. */
export async function readWav(file: RandomAccess, header: WavHeader): Promise<Float32Array> {
  const { channels, bits, float, dataOffset, length } = header;
  const width = bits / 8;
  const bytes = await file.read(dataOffset, length * channels * width);
  const read = sampleReader(bytes, bits, float);
  const mono = new Float32Array(length);
  let at = 0;
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++, at += width) sum += read(at);
    mono[i] = sum / channels;
  }
  return mono;
}

function readFormat(chunk: Buffer, name: string): Omit<WavHeader, 'dataOffset' | 'length'> {
  const tag = chunk.readUInt16LE(0);
  // The extensible form keeps the format at the start of a GUID.
  const kind = tag === wavFormats.extensible && chunk.length >= 26 ? chunk.readUInt16LE(24) : tag;
  const [channels, rate, bits] = [chunk.readUInt16LE(2), chunk.readUInt32LE(4), chunk.readUInt16LE(14)];
  const float = kind === wavFormats.float;
  const known = float ? [32, 64] : kind === wavFormats.pcm ? [8, 16, 24, 32] : [];
  if (!known.includes(bits)) throw dataErrors.wavEncoding(name, `format ${kind} with ${bits} bits`);
  if (channels === 0 || rate === 0) throw dataErrors.wavBroken(name, 'its format chunk is damaged');
  return { rate, channels, bits, float };
}

/** The sample at a byte offset, full scale being 1. */
function sampleReader(bytes: Buffer, bits: number, float: boolean): (at: number) => number {
  if (float) return bits === 32 ? (at) => bytes.readFloatLE(at) : (at) => bytes.readDoubleLE(at);
  // 8-bit samples are unsigned, all others signed.
  if (bits === 8) return (at) => (bytes[at]! - 128) / 128;
  const full = 2 ** (bits - 1);
  return (at) => bytes.readIntLE(at, bits / 8) / full;
}

const zeroCrossings = 64;
const rolloff = 0.95;
/** Kaiser's formula for 100 dB: 0.1102 (100 - 8.7). */
const beta = 10.06;

/** Makes what turns clips of rate `from` into clips of rate `to`, both in Hz; n samples become ceil(n · to / from). */
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
