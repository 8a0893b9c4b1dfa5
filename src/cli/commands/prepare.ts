/** `qdq prepare`: a float model with fake quantizers, to be fine-tuned and converted. */
import { defineCommand } from '../command.ts';
import { shown } from '../paths.ts';
import { runFlags } from '../run-flags.ts';
import { plural } from '../../report/format.ts';
import type { PrepareResult } from '../../pipeline/results.ts';

export const prepare = defineCommand({
  stages: ['prepare'],
  summary: 'put fake quantizers on weights and activations of a float model, for fine-tuning',
  positionals: [{ name: 'MODEL', describe: 'the float model (.onnx)' }],
  required: ['output'],
  examples: [
    ['prepare model.onnx --data images/ --preprocess imagenet -o qat.onnx', '8 bits, as quantize would do it'],
    ['prepare model.onnx --data images/ --weight-bits 4 --activation-bits 4 -o qat.onnx', '4 bits, 8 at both ends'],
    ['prepare model.onnx --data images/ --bn train -o qat.onnx', 'with BatchNormalization that trains too'],
    ['finetune qat.onnx --data images/ -o tuned.onnx', 'then train it'],
    ['convert tuned.onnx -o model.int8.onnx', 'and make it int8'],
  ],
  async run({ positionals, values, console }) {
    const model = positionals[0]!;
    const output = values.output!;
    const { prepareModel } = await import('../../pipeline/index.ts');
    const result = await prepareModel({ ...values, output, model, ...runFlags(values, console) });
    console.result(result, () => render(result));
    return 0;
  },
});

function render({ outputPath, plan, quantizers, batchNorms, ...bits }: PrepareResult): string {
  const widths = `W${bits.weightBits}A${bits.activationBits}, first and last layers ${bits.firstLastBits} bits`;
  const nodes = `${plural(quantizers, 'fake quantizer')} around ${plural(plan.quantizedNodes, 'node')}, ${plan.floatNodes} left float`;
  const live = batchNorms === 0 ? '' : `, ${plural(batchNorms, 'live BatchNormalization')}`;
  return `${widths}: ${nodes}${live}   ${shown(outputPath)}`;
}
