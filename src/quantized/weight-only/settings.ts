/** Settings of weight-only blocks: read, defaulted and checked in one place. */
import { formatErrors } from '../../errors/formats.ts';
import type { FormatFlags } from '../format.ts';
import type { BlockBits } from './blocks.ts';

export interface BlockSettings {
  readonly bits: BlockBits;
  /** Weights that share a scale; a power of two of at least 16. */
  readonly blockSize: number;
  readonly symmetric: boolean;
  readonly method: 'rtn' | 'hqq';
  /** Of MatMulNBits: 4 multiplies in int8, 0 and 1 in float32. */
  readonly accuracyLevel: number;
}

const bitChoices: readonly number[] = [2, 4, 8];
const leastBlock = 16;
const largestBlock = 256;

/**
 * 32 at 2 and 4 bits, where accuracy is scarce; 128 at 8 bits, where it is not and larger blocks are faster. Level 4 always: at level 0 onnxruntime 1.30 multiplies in float32, 8 bits ten
 * times slower than the float model.
 * @throws FORMAT_BITS, FORMAT_BLOCK, FORMAT_HQQ
 */
export function blockSettings(flags: FormatFlags): BlockSettings {
  const { weightBits = 4, weightMethod: method = 'rtn', accuracyLevel = 4 } = flags;
  if (!bitChoices.includes(weightBits)) throw formatErrors.bits(weightBits, bitChoices);
  const { blockSize = weightBits === 8 ? 128 : 32, symmetric = false } = flags;
  if (blockSize < leastBlock || blockSize > largestBlock || !Number.isInteger(Math.log2(blockSize))) {
    throw formatErrors.blockSize(blockSize, leastBlock, largestBlock);
  }
  if (method === 'hqq' && symmetric) throw formatErrors.hqqSymmetric();
  return { bits: weightBits as BlockBits, blockSize, symmetric, method, accuracyLevel };
}

/** A block longer than the row would only store padding. */
export function blockFor(cols: number, { blockSize }: BlockSettings): number {
  return Math.min(blockSize, Math.max(leastBlock, 2 ** Math.ceil(Math.log2(cols))));
}
