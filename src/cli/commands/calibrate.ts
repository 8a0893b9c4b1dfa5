/** `qdq calibrate`: observe the ranges of a model's activations, as a state file that `quantize --state` reads. */
import { defineCommand } from '../command.ts';
import { dataOptions, recipeOptions } from '../options.ts';
import { checkOutput, shown } from '../paths.ts';
import { runFlags } from '../run-flags.ts';
import { plural } from '../../report/format.ts';

export const calibrate = defineCommand({
  name: 'calibrate',
  summary: 'observe the ranges of activations on samples, as a calibration state',
  positionals: [{ name: 'MODEL', describe: 'the float model (.onnx)' }],
  options: ['output', 'observer', ...dataOptions, 'threads', ...recipeOptions],
  required: ['output'],
  examples: [
    ['calibrate model.onnx --data images/ --preprocess imagenet -o ranges.state', 'observe once'],
    ['quantize model.onnx --state ranges.state -o int8.onnx', 'quantize from it, as often as needed'],
  ],
  async run({ positionals, values, console }) {
    const model = positionals[0]!;
    const output = values.output!;
    checkOutput('--output', output, [model, ...(values.data === undefined ? [] : [values.data])]);
    const { calibrateModel } = await import('../../pipeline.ts');
    const result = await calibrateModel({ ...values, output, model, ...runFlags(values, console) });
    console.result(result, () => {
      const count = `${plural(result.tensors, 'tensor')} observed on ${plural(result.samples, 'sample')}`;
      return `${count}   ${shown(result.outputPath)}`;
    });
    return 0;
  },
});
