/**
 * What the pipeline's stages take and give: plain data, the same words as the command line, so that a recipe file, a
 * command and a library call say the same thing. Paths are as the user gave them; optional fields are left out, never
 * null.
 */
export type * from './pipeline-types/flags.ts';
export type * from './pipeline-types/calibrate.ts';
export type * from './pipeline-types/quantize.ts';
export type * from './pipeline-types/finetune.ts';
export type * from './pipeline-types/compare.ts';
