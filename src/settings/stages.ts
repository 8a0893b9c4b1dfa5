/**
 * Who reads settings: the stages of the pipeline, by the names of their commands, and the formats of quantized models. A row of the
 * tables of this module lists its readers; the sets below are what many rows share.
 */

/**
 * They run the model on samples. `quantizeFinetuned` is `qdq quantize --finetune`: both modes of the command have settings that the other
 * lacks.
 */
export const sampled = [
  'explain',
  'fuse',
  'calibrate',
  'quantize',
  'quantizeFinetuned',
  'variants',
  'prepare',
  'finetune',
  'convert',
  'compare',
  'sensitivity',
] as const;

export const every = [...sampled, 'inspect', 'merge', 'export', 'lint', 'backends', 'report', 'doctor'] as const;

export type Stage = (typeof every)[number];

/** How a quantized model is written down. */
export const formatNames = ['qdq', 'qoperator', 'dynamic', 'weight-only', 'fp16', 'bf16'] as const;

export type FormatName = (typeof formatNames)[number];

/** They decide what becomes integer, and how. */
export const quantizing = ['quantize', 'quantizeFinetuned', 'prepare', 'sensitivity'] as const;

/** They train. */
export const trained = ['finetune', 'quantizeFinetuned'] as const;

/** They end with a report and a verdict. */
export const judged = ['quantize', 'quantizeFinetuned', 'finetune', 'compare'] as const;

/** They write a model. */
export const models = ['fuse', 'quantize', 'quantizeFinetuned', 'prepare', 'finetune', 'convert'] as const;
