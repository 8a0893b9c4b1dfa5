/**
 * Which elements a sample of a tensor takes (element-sampler.ts): every s-th of the flat tensor, from a place that the phase tells.
 *
 * The stride s is a prime that does not divide the number of elements, and so has no common divisor with any dimension. Whichever of them
 * are the channels, each has its turn: a stride of 2 would pass over half of 768. The phase follows from the id of the sample of data
 * alone, so that it is the same in any batch, worker, shard and resumed run, and another one for the next sample.
 */
import type { TensorValue } from '../onnx/data-types.ts';

/** Elements of a tensor per sample of data, about, where it has more. Twice as many win 0.1 dB and cost a tenth of an inference. */
export const budget = 12_288;

/** Tensors that want a larger stride have more elements taken. */
const largestStride = 4096;
/** So many primes one after the other: their product is above any number of elements that wants one of them. */
const choice = 8;

/** Row n: the primes from n on; where everything is taken, ones. */
export const strides: readonly (readonly number[])[] = strideRows();

/** The stride for so many elements. @param elements per sample of data */
export function strideOf(elements: number): number {
  const row = strides[Math.min(Math.ceil(elements / budget), largestStride)]!;
  return row.find((stride) => elements % stride !== 0) ?? row[0]!;
}

function strideRows(): number[][] {
  const primes: number[] = [];
  for (let n = 2; (primes.at(-choice) ?? 0) < largestStride; n++)
    if (!primes.some((prime) => n % prime === 0)) primes.push(n);
  let at = 0;
  return Array.from({ length: largestStride + 1 }, (_, level) => {
    if (level < 2) return Array.from({ length: choice }, () => 1);
    while (primes[at]! < level) at++;
    return primes.slice(at, at + choice);
  });
}

/** The graph input that holds one number per sample of a run. */
export const phaseInput = 'sample_phase';

/** FNV-1a over the characters of a sample's id: 32 bits. */
export function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * The phases of a run: int64 [1], or [count, 1] of several samples.
 * @param ids of the samples of a run
 * @param count how many the run takes: it is filled up with the last one
 */
export function phasesOf(ids: readonly string[], count: number): TensorValue {
  const phases = BigInt64Array.from({ length: count }, (_, i) => BigInt(mixBits(hashOf(ids[i] ?? ids.at(-1) ?? ''))));
  return { type: 'int64', dims: count === 1 ? [1] : [count, 1], data: phases };
}

/**
 * MurmurHash3's finalizer: the ids of neighbours differ in their last characters, and their hashes in a few bits, of which all get a say
 * here.
 */
function mixBits(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
