/** Errors of formats and of writing the quantized graph. */
import { didYouMean, usageError, type QdqError, dataError } from './qdq-error.ts';

/** Errors of writing the quantized graph. */
export const quantizedErrors = {
  noRange: (tensor: string, known: Iterable<string>): QdqError =>
    dataError(
      'QUANT_NO_RANGE',
      `no calibrated range for tensor '${tensor}'`,
      didYouMean(tensor, known, 'calibrate again with this model; a state file belongs to one model and recipe'),
    ),

  badRange: (tensor: string, min: number, max: number): QdqError =>
    dataError(
      'QUANT_BAD_RANGE',
      `the range of tensor '${tensor}' is [${min}, ${max}]`,
      'a range must be finite and in order; calibrate again',
    ),

  weightObserver: (id: string, known: readonly string[]): QdqError =>
    usageError(
      'QUANT_WEIGHT_OBSERVER',
      `there is no weight observer '${id}'`,
      didYouMean(id, known, `the weight observers are ${known.join(', ')}`),
    ),
};

/** Errors of formats: flags that belong to another one, combinations that no kernel runs. */
export const formatErrors = {
  unknown: (name: string, known: readonly string[]): QdqError =>
    usageError(
      'FORMAT_UNKNOWN',
      `unknown format '${name}'`,
      didYouMean(name, known, `known formats: ${known.join(', ')}`),
    ),

  notRead: (flag: string, format: string, readers: readonly string[]): QdqError =>
    usageError(
      'FORMAT_FLAG',
      `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} means nothing to --format ${format}`,
      `leave it out, or use --format ${readers.join(' or ')}`,
    ),

  eightBits: (format: string, type: string): QdqError =>
    usageError(
      'FORMAT_TYPES',
      `the ${format} format has kernels for 8 bits only, not for ${type}`,
      'use --format qdq, or 8-bit --activation-type and --weight-type',
    ),

  slowFloat16: (target: string, reason: string, others: readonly string[]): QdqError =>
    usageError(
      'FORMAT_FLOAT_TYPE',
      `--float-type float16 wins nothing on ${target}: ${reason}`,
      `leave it out, or name the runtime: --target ${others.join(', ')}`,
    ),

  float8: (): QdqError =>
    usageError(
      'FORMAT_FLOAT8',
      '--weight-type f8: onnxruntime on CPU converts 8-bit floats and multiplies none, so they would be slower than float32',
      'use --weight-type s8, which is as small; or --format fp16 for GPUs',
    ),

  bits: (bits: number, choices: readonly number[], flag = '--weight-bits'): QdqError =>
    usageError(
      'FORMAT_BITS',
      `${flag} ${bits}: onnxruntime's block kernels take ${choices.join(', ')} bits`,
      `use ${flag} 4, or 8 for more accuracy`,
    ),

  blockSize: (size: number, least: number, largest: number): QdqError =>
    usageError(
      'FORMAT_BLOCK',
      `--block-size ${size}: a block is a power of two from ${least} to ${largest}`,
      'use --block-size 32 for accuracy or 128 for speed',
    ),

  hqqSymmetric: (): QdqError =>
    usageError(
      'FORMAT_HQQ',
      '--weight-method hqq moves the zero points of the blocks, which --symmetric fixes',
      'leave out one of the two',
    ),
};
