/**
 * Where the sample of a tensor begins (sample.ts). It follows from the id of the sample of data alone, so that it is the same in
 * any batch, worker, shard and resumed run, and another one for the next sample.
 */
import type { TensorValue } from '../onnx/data-types.ts';

/** The graph input that holds one number per sample of a run. */
export const phaseInput = 'sample_phase';

/** FNV-1a over the characters of a sample's id: 32 bits. */
export function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * @param ids of the samples of a run
 * @param count how many the run takes: it is filled up with the last one
 */
export function phasesOf(ids: readonly string[], count: number): TensorValue {
  const phases = BigInt64Array.from({ length: count }, (_, i) => BigInt(mix(hashOf(ids[i] ?? ids.at(-1) ?? ''))));
  return { type: 'int64', dims: count === 1 ? [1] : [count, 1], data: phases };
}

/** The ids of neighbours differ in their last characters, and so do their hashes in a few bits: here all of them get a say. */
function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
