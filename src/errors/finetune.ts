/** Errors of prepare, finetune and convert. */
import { dataError, usageError, type QdqError } from '../errors.ts';

export const finetuneErrors = {
  bits: (flag: string, bits: number, type: string): QdqError =>
    usageError(
      'QAT_BITS',
      `${flag} ${bits} does not fit ${type} codes`,
      flag.includes('activation') ? 'leave out --activation-type, or give u16 or s16' : 'give 16 or fewer',
    ),

  notPrepared: (model: string): QdqError =>
    dataError(
      'QAT_NOT_PREPARED',
      `${model} holds no fake quantizer: no QuantizeLinear followed by a DequantizeLinear`,
      "make one with 'qdq prepare'",
    ),
};
