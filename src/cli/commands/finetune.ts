/** `qdq finetune`: quantization-aware training of a model with fake quantizers. */
import { cliErrors } from '../../errors/cli.ts';
import { defineCommand } from '../command.ts';
import { conclude } from '../conclude.ts';
import { shown } from '../paths.ts';
import { runFlags } from '../run-flags.ts';
import { plural } from '../../report/format.ts';
import type { FinetuneResult } from '../../pipeline/results.ts';

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
    if (values.workers > 1 && values.threads !== undefined)
      throw cliErrors.conflict('--threads', '--workers', 'each worker has one thread');
    const { finetuneModel } = await import('../../pipeline/index.ts');
    const { gate: gates, ...rest } = values;
    const result = await finetuneModel({ ...rest, gates, output, model, ...runFlags(values, console) });
    console.result(result, () => render(result));
    const { report, reportPath } = result;
    if (reportPath !== undefined) console.note(`wrote ${shown(reportPath)}`);
    return report ? conclude(report, values, console) : 0;
  },
});

function render({
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
