/**
 * Block quantization of weight matrices: its settings, and round to nearest. Every `blockSize` neighbours along the reduction share one
 * scale (and one zero point). Pure functions over typed arrays: rows may be given in any chunks, so that a tensor of any size streams.
 *
 * Symmetric blocks take the scale from the element of largest magnitude, with its sign, and put it on the lowest code: codes are
 * -2^(bits-1) .. 2^(bits-1)-1 around the middle, and no code is lost, as a scale from the magnitude alone would lose one.
 */
import { formatErrors } from '../../errors/quantized.ts';
import type { FormatFlags } from '../format.ts';

/** Bits of a code. */
export type BlockBits = 2 | 4 | 8;

/** Codes and parameters of [rows, cols] weights in blocks along the columns. */
export interface Blocks {
  /** One unsigned code per byte, [rows, blocks, blockSize]; what pads the last block stands for 0. */
  readonly codes: Uint8Array;
  /** [rows, blocks]. A weight is (code - zeroPoint) · scale. */
  readonly scales: Float32Array;
  /** [rows, blocks], one per byte; undefined for symmetric blocks, whose zero point is 2^(bits-1). */
  readonly zeroPoints: Uint8Array | undefined;
}

/** Added to and taken from a float64 below 2^51, it leaves the value rounded half to even. */
const roundingMagic = 1.5 * 2 ** 52;

/**
 * Quantizes weights in blocks, round to nearest.
 * @param weights [rows, cols], row-major; cols is the reduction, which blocks divide
 * @param blockSize elements per block; the last block of a row may be shorter
 */
export function quantizeBlocks(
  weights: Float32Array,
  rows: number,
  cols: number,
  blockSize: number,
  bits: BlockBits,
  symmetric: boolean,
): Blocks {
  const blocks = Math.ceil(cols / blockSize);
  const codes = new Uint8Array(rows * blocks * blockSize);
  const scales = new Float32Array(rows * blocks);
  const zeroPoints = symmetric ? undefined : new Uint8Array(rows * blocks);
  const middle = 2 ** (bits - 1);
  const top = 2 ** bits - 1;
  for (let row = 0, block = 0; row < rows; row++) {
    const end = (row + 1) * cols;
    for (let start = row * cols; start < end; start += blockSize, block++) {
      const stop = Math.min(start + blockSize, end);
      let min = 0;
      let max = 0;
      for (let i = start; i < stop; i++) {
        const value = weights[i]!;
        if (value < min) min = value;
        if (value > max) max = value;
      }
      let scale: number;
      let zero = middle;
      if (symmetric) {
        scale = usable(Math.fround((-min > max ? min : max) / -middle));
      } else {
        scale = usable(Math.fround((max - min) / top));
        zero = Math.min(top, Math.max(0, round(-min / scale)));
        zeroPoints![block] = zero;
      }
      scales[block] = scale;
      encodeBlock(weights, start, stop, scale, zero, top, codes, block * blockSize);
      codes.fill(zero, block * blockSize + (stop - start), (block + 1) * blockSize);
    }
  }
  return { codes, scales, zeroPoints };
}

/**
 * Writes the codes of weights[start .. stop) under one scale and zero point from `at` on: half to even of the float32 quotient, as
 * QuantizeLinear and the kernel of packer.ts do.
 */
export function encodeBlock(
  weights: Float32Array,
  start: number,
  stop: number,
  scale: number,
  zero: number,
  top: number,
  codes: Uint8Array,
  at: number,
): void {
  for (let i = start, to = at; i < stop; i++, to++) {
    const code = round(Math.fround(weights[i]! / scale)) + zero;
    codes[to] = code < 0 ? 0 : code > top ? top : code;
  }
}

/** Returns the weights that the codes stand for, [rows, cols]. */
export function dequantizeBlocks(
  { codes, scales, zeroPoints }: Blocks,
  rows: number,
  cols: number,
  blockSize: number,
  bits: BlockBits,
): Float32Array {
  const blocks = Math.ceil(cols / blockSize);
  const weights = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const block = row * blocks + Math.floor(col / blockSize);
      const zero = zeroPoints?.[block] ?? 2 ** (bits - 1);
      weights[row * cols + col] = (codes[block * blockSize + (col % blockSize)]! - zero) * scales[block]!;
    }
  }
  return weights;
}

/** Packs several codes per byte, the first in the lowest bits; each of the `rows` begins in a byte of its own. */
export function packCodes(codes: Uint8Array, rows: number, bits: BlockBits): Uint8Array {
  if (bits === 8) return codes;
  const perByte = 8 / bits;
  const perRow = codes.length / rows;
  const bytes = Math.ceil(perRow / perByte);
  const packed = new Uint8Array(rows * bytes);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < perRow; i++) {
      packed[row * bytes + Math.floor(i / perByte)]! |= codes[row * perRow + i]! << ((i % perByte) * bits);
    }
  }
  return packed;
}

/** Transposes [rows, cols] to [cols, rows]: MatMul keeps the reduction in the rows of its weight, blocks run along it. */
export function transpose(values: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(values.length);
  // In tiles: the strided side then stays in the cache.
  const tile = 32;
  for (let r0 = 0; r0 < rows; r0 += tile) {
    const r1 = Math.min(r0 + tile, rows);
    for (let c0 = 0; c0 < cols; c0 += tile) {
      const c1 = Math.min(c0 + tile, cols);
      for (let r = r0; r < r1; r++) for (let c = c0; c < c1; c++) out[c * rows + r] = values[r * cols + c]!;
    }
  }
  return out;
}

function round(x: number): number {
  return x + roundingMagic - roundingMagic;
}

/** A block of zeros, or of numbers too small for a float32 scale, gets 1: its codes are all the zero point. */
function usable(scale: number): number {
  return Math.abs(scale) < 2 ** -126 ? 1 : scale;
}

/** Settings of weight-only blocks. */
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
 * Reads the settings from flags, with these defaults: blocks of 32 at 2 and 4 bits, where accuracy is scarce, and of 128 at 8 bits,
 * where it is not and larger blocks are faster. Embeddings have 8 bits unless fewer are asked for: 1.2 to 1.5 dB on small llama and T5
 * models. Accuracy level 4 always: at level 0 onnxruntime 1.30 multiplies in float32, 8 bits ten times slower than the float model.
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

/** The block size for rows of `cols` elements: a block longer than the row would only store padding. */
export function blockFor(cols: number, { blockSize }: { readonly blockSize: number }): number {
  return Math.min(blockSize, Math.max(leastBlock, 2 ** Math.ceil(Math.log2(cols))));
}
