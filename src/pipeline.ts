/**
 * The pipeline's stages. Each is a function of files, so that a command can run it alone; `quantizeModel` composes them.
 * What they take and give is in pipeline-types.ts.
 */
export { calibrateModel } from './pipeline/calibrate.ts';
export { convertModel } from './pipeline/convert.ts';
export { finetuneModel } from './pipeline/finetune.ts';
export { fuseModel } from './pipeline/fuse.ts';
export { mergeCalibrations } from './pipeline/merge.ts';
export { prepareModel } from './pipeline/prepare.ts';
export { exportCalibration } from './pipeline/tables.ts';
export { quantizeFinetuned } from './pipeline/quantize-finetuned.ts';
export { quantizeModel } from './pipeline/quantize.ts';
