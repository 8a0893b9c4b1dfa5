/** `qdq convert`: a model with fake quantizers, fine-tuned or not, becomes int8. */
import { defineCommand } from '../command.ts';
import { shown } from '../paths.ts';
import { runFlags } from '../run-flags.ts';
import { plural } from '../../report/format.ts';

export const convert = defineCommand({
  stages: ['convert'],
  summary: 'make an int8 model of one with fake quantizers (of prepare, finetune, or PyTorch QAT)',
  positionals: [
    { name: 'MODEL', describe: 'a model with QuantizeLinear/DequantizeLinear around float weights (.onnx)' },
  ],
  required: ['output'],
  lacks: {
    floatType:
      "the result is proven in onnxruntime on CPU, which computes float16 in float32, and keeps the float types of its source; for another runtime give the float model to 'qdq quantize --float-type float16 --target NAME'",
  },
  examples: [
    ['convert tuned.onnx -o model.int8.onnx', 'weights and biases to integers'],
    ['convert tuned.onnx --storage int4 -o model.int4.onnx', 'weights of 4 bits in half the size; the same kernels'],
    ['compare model.onnx model.int8.onnx --data test/', 'then judge it'],
  ],
  async run({ positionals, values, console }) {
    const model = positionals[0]!;
    const output = values.output!;
    const { convertModel } = await import('../../pipeline/index.ts');
    const result = await convertModel({ ...values, output, model, ...runFlags(values, console) });
    console.result(result, () => {
      const { weights, biases, absorbed, fourBits, outputPath } = result;
      const four = fourBits === 0 ? '' : ` (${fourBits} in 4 bits)`;
      const counts = [
        `${plural(weights, 'constant')}${four}`,
        `${biases} biases`,
        `${absorbed} Relu and Clip absorbed`,
      ];
      return `${counts.join(', ')}   ${shown(outputPath)}`;
    });
    return 0;
  },
});
