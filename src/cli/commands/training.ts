/** The commands of quantization-aware training: `qdq prepare`, `qdq finetune`, `qdq convert`, one after the other. */
import { defineCommand } from '../command.ts';
import { checkWorkers, runFlags, shown } from '../request.ts';
import { plural } from '../../report/format.ts';
import { finishReport } from '../finish.ts';
import type { FinetuneResult, PrepareResult } from '../../pipeline/results.ts';

/** `qdq prepare`: a float model with fake quantizers, to be fine-tuned and converted. */
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
    console.result(result, () => renderPrepared(result));
    return 0;
  },
});

function renderPrepared({ outputPath, plan, quantizers, batchNorms, ...bits }: PrepareResult): string {
  const widths = `W${bits.weightBits}A${bits.activationBits}, first and last layers ${bits.firstLastBits} bits`;
  const nodes = `${plural(quantizers, 'fake quantizer')} around ${plural(plan.quantizedNodes, 'node')}, ${plan.floatNodes} left float`;
  const live = batchNorms === 0 ? '' : `, ${plural(batchNorms, 'live BatchNormalization')}`;
  return `${widths}: ${nodes}${live}   ${shown(outputPath)}`;
}

/** `qdq finetune`: quantization-aware training of a model with fake quantizers. */
export const finetune = defineCommand({
  stages: ['finetune'],
  summary: 'train a model with fake quantizers, with labels or by distillation from the float model',
  positionals: [{ name: 'MODEL', describe: "a model with fake quantizers, of 'qdq prepare' or PyTorch QAT (.onnx)" }],
  required: ['output'],
  examples: [
    ['finetune qat.onnx --data images/ --preprocess imagenet -o tuned.onnx', 'with the labels of the class folders'],
    ['finetune qat.onnx --data images/ --loss kl -o tuned.onnx', 'without labels: learn from the float model'],
    ['finetune qat.onnx --data images/ --loss "kl=1,ce=0.5" --epochs 3 --augment "flip crop=4" -o tuned.onnx', 'both'],
    ['finetune qat.onnx --data images/ --report run.html -o tuned.onnx', 'with the curve, and what the model is worth'],
    ['finetune qat.onnx --data images/ --checkpoint run/ --resume -o tuned.onnx', 'go on after it was stopped'],
  ],
  async run({ positionals, values, console }) {
    const model = positionals[0]!;
    const output = values.output!;
    checkWorkers(values);
    const { finetuneModel } = await import('../../pipeline/index.ts');
    const { gate: gates, ...rest } = values;
    const result = await finetuneModel({ ...rest, gates, output, model, ...runFlags(values, console) });
    console.result(result, () => renderTraining(result));
    const { report, reportPath } = result;
    if (reportPath !== undefined) console.note(`wrote ${shown(reportPath)}`);
    return report ? finishReport(report, values, console) : 0;
  },
});

function renderTraining({
  outputPath,
  loss,
  steps,
  keptStep,
  evaluations,
  training,
  stepMilliseconds,
}: FinetuneResult): string {
  const first = training[0]?.loss ?? NaN;
  const tail = training.slice(-10);
  const last = tail.reduce((sum, point) => sum + point.loss, 0) / tail.length;
  const kept = keptStep === steps ? '' : `, step ${keptStep} kept`;
  const metric = (index: number): string => shownMetric(evaluations.at(index)!);
  const judged =
    evaluations.length < 2 ? '' : `   ${evaluations[0]!.name} ${metric(0)} -> ${metric(-1)} on held-out samples`;
  return [
    `${plural(steps, 'step')} of ${Math.round(stepMilliseconds)} ms${kept}: ${loss} ${first.toPrecision(3)} -> ${last.toPrecision(3)}${judged}`,
    shown(outputPath),
  ].join('\n');
}

function shownMetric({ name, value }: { readonly name: string; readonly value: number }): string {
  return name === 'sqnr' ? `${value.toFixed(1)} dB` : `${(100 * value).toFixed(2)} %`;
}

/** `qdq convert`: a model with fake quantizers, fine-tuned or not, becomes int8. */
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
