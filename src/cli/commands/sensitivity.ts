/** `qdq sensitivity`: what each layer costs in int8, and which to leave float. A bound that no list meets is exit code 1. */
import { defineCommand } from '../command.ts';
import { shown } from '../paths.ts';
import { runFlags } from '../run-flags.ts';

export const sensitivity = defineCommand({
  stages: ['sensitivity'],
  summary: 'rank layers by what quantizing each costs; find the shortest list to leave float',
  positionals: [{ name: 'MODEL', describe: 'the float model (.onnx)' }],
  examples: [
    [
      'sensitivity model.onnx --data images/ --preprocess imagenet',
      'every layer, quantized alone and left float alone',
    ],
    [
      'sensitivity model.onnx --data images/ --until "output.sqnr >= 30"',
      'the --exclude list that reaches 30 dB, proven on the real kernels',
    ],
    ['sensitivity model.onnx --int8 model.int8.onnx --data images/', 'the quantizers of this int8 model'],
    ['sensitivity model.onnx --data images/ --into model.int8.report.json', 'add the result to a report'],
  ],
  async run({ positionals, values, console }) {
    const { sensitivityOf } = await import('../../pipeline/sensitivity/sensitivity.ts');
    const result = await sensitivityOf({ ...values, model: positionals[0]!, ...runFlags(values, console) });
    const { renderSensitivity } = await import('../../report/sensitivity.ts');
    if (result.reportPath !== undefined) console.note(`added to ${shown(result.reportPath)}`);
    console.result(result, () => renderSensitivity(result.sensitivity, console.look));
    return result.sensitivity.until?.pass === false ? 1 : 0;
  },
});
