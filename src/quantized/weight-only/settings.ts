/** Settings of weight-only blocks: read, defaulted and checked in one place. */
import { formatErrors } from '../../errors/quantized.ts';
import type { FormatFlags } from '../format.ts';
import type { BlockBits } from './blocks.ts';

export interface BlockSettings {
  readonly bits: BlockBits;
  /** Weights that share a scale; a power of two of at least 16. */
  readonly blockSize: number;
  /** The same of tables that rows are picked from. */
  readonly table: { readonly bits: BlockBits; readonly blockSize: number };
  readonly symmetric: boolean;
  readonly method: 'rtn' | 'hqq';
  /** Of MatMulNBits: 4 multiplies in int8, 0 and 1 in float32. */
  readonly accuracyLevel: number;
}

/** Of tables: picking a row costs its bytes only, and what is lost there no later layer makes good. */
const tableBits = 8;
const bitChoices: readonly number[] = [2, 4, 8];
const leastBlock = 16;
const largestBlock = 256;

/**
 * 32 at 2 and 4 bits, where accuracy is scarce; 128 at 8 bits, where it is not and larger blocks are faster. Embeddings have 8 bits
 * unless fewer are asked for: 1.2 to 1.5 dB on small llama and T5 models. Level 4 always: at level 0 onnxruntime 1.30 multiplies in float32, 8 bits ten
 * times slower than the float model.
 * @throws FORMAT_BITS, FORMAT_BLOCK, FORMAT_HQQ
 */
export function blockSettings(flags: FormatFlags): BlockSettings {
  const { weightBits = 4, weightMethod: method = 'rtn', accuracyLevel = 4 } = flags;
  if (!bitChoices.includes(weightBits)) throw formatErrors.bits(weightBits, bitChoices);
  const { blockSize = usualBlock(weightBits), symmetric = false } = flags;
  if (blockSize < leastBlock || blockSize > largestBlock || !Number.isInteger(Math.log2(blockSize))) {
    throw formatErrors.blockSize(blockSize, leastBlock, largestBlock);
  }
  const { embeddingBits = Math.max(weightBits, tableBits) } = flags;
  if (!bitChoices.includes(embeddingBits)) throw formatErrors.bits(embeddingBits, bitChoices, '--embedding-bits');
  const table = { bits: embeddingBits as BlockBits, blockSize: flags.blockSize ?? usualBlock(embeddingBits) };
  if (method === 'hqq' && symmetric) throw formatErrors.hqqSymmetric();
  return { bits: weightBits as BlockBits, blockSize, table, symmetric, method, accuracyLevel };
}

const usualBlock = (bits: number): number => (bits === 8 ? 128 : 32);

/** A block longer than the row would only store padding. */
export function blockFor(cols: number, { blockSize }: { readonly blockSize: number }): number {
  return Math.min(blockSize, Math.max(leastBlock, 2 ** Math.ceil(Math.log2(cols))));
}
