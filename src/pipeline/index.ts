/**
 * The pipeline's stages. Each is a function of files, so that a command can run it alone; `quantizeModel` composes them.
 * What they take is in settings/options.ts, what they give in results.ts.
 */
export { calibrateModel } from './calibrate/calibrate.ts';
export { convertModel } from './convert/convert.ts';
export { finetuneModel } from './finetune/finetune.ts';
export { fuseModel } from './fuse/fuse.ts';
export { mergeCalibrations } from './calibrate/state-files.ts';
export { prepareModel } from './prepare/prepare.ts';
export { exportCalibration } from './calibrate/state-files.ts';
export { quantizeFinetuned } from './finetune/quantize-finetuned.ts';
export { quantizeModel } from './quantize/quantize.ts';
