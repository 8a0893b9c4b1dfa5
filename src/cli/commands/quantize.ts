/**
 * `qdq quantize`: the whole pipeline. Its result is the report; a failed gate is exit code 1, and the model stays
 * written.
 */
import { finetuneErrors } from '../../errors/finetune.ts';
import { finishReport } from '../finish.ts';
import { defineCommand } from '../command.ts';
import type { Console } from '../console.ts';
import { checkWorkers, defaultOutput, defaultReport, runFlags, shown } from '../request.ts';
import { flagOf, namesOf, row, type NamesOf, type Values } from '../../settings/settings.ts';
import type { QuantizeResult } from '../../pipeline/results.ts';
import { palette } from '../../report/terminal-table.ts';

/** What only --finetune reads, and what it does not. */
const finetuneOnly = namesOf('quantizeFinetuned').filter((name) => !row(name).stages.includes('quantize'));
const untrainedOnly = namesOf('quantize').filter((name) => !row(name).stages.includes('quantizeFinetuned'));

export const quantize = defineCommand({
  stages: ['quantize', 'quantizeFinetuned'],
  summary: 'make an int8 model: fuse, calibrate, quantize, verify, report',
  positionals: [{ name: 'MODEL', describe: 'the float model (.onnx)' }],
  examples: [
    [
      'quantize model.onnx --data images/ --preprocess imagenet',
      'write model.int8.onnx and model.int8.report.json beside it',
    ],
    [
      'quantize model.onnx --data samples.npz -o int8.onnx --gate "agreement >= 0.99"',
      'exit with 1 when the gate fails',
    ],
    ['quantize model.onnx --state ranges.state --eval test/ -o int8.onnx', "use the ranges of 'qdq calibrate'"],
    [
      'quantize model.onnx --data images/ --finetune --weight-bits 4 --activation-bits 4',
      'train it with fake quantizers first, where 8 bits are too many',
    ],
    ['quantize model.onnx --data images/ --exclude Softmax --exclude "/head/"', 'leave some nodes float'],
    ['quantize model.onnx --data images/ --override "/head/: activation-type=u16"', '16-bit activations in one part'],
  ],
  async run({ positionals, values, console }) {
    const model = positionals[0]!;
    const output = values.output ?? defaultOutput(model);
    const report = values.report ?? defaultReport(output);
    checkMode(values);
    const { quantizeFinetuned, quantizeModel } = await import('../../pipeline/index.ts');
    const { gate: gates, withFinetuning, ...rest } = values;
    const request = { ...rest, gates, model, output, report, ...runFlags(values, console) };
    const result: QuantizeResult = await (withFinetuning ? quantizeFinetuned(request) : quantizeModel(request));
    console.note(`wrote ${shown(result.outputPath)}`);
    const compared = result.report;
    if (!compared) {
      const text = await planText(result, console);
      console.result(result, () => text);
      return 0;
    }
    const { renderTerminal } = await import('../../report/terminal.ts');
    const reportPath = result.reportPath === undefined ? {} : { reportPath: shown(result.reportPath) };
    console.result(result, () => renderTerminal(compared, { ...console.look, ...reportPath }));
    return finishReport(compared, values, console);
  },
});

/** Every flag given must have an effect. @throws QAT_NEEDS_FINETUNE, QAT_NOT_FINETUNED, CLI_CONFLICT */
function checkMode(values: Values<NamesOf<'quantize' | 'quantizeFinetuned'>>): void {
  const idle = (values.withFinetuning ? untrainedOnly : finetuneOnly).find(
    (name) => values[name] !== undefined && values[name] !== row(name).default,
  );
  if (idle !== undefined && values.withFinetuning) throw finetuneErrors.notFinetuned(`--${flagOf(idle)}`);
  if (idle !== undefined) throw finetuneErrors.needsFinetune(`--${flagOf(idle)}`);
  checkWorkers(values);
}

/** What there is to say about a model that was not compared: the counts, and under --quiet no more. */
async function planText({ plan, notRun }: QuantizeResult, { look }: Console): Promise<string> {
  const counts = `${plan.scheme}: ${plan.quantizedNodes} quantized nodes, ${plan.floatNodes} left float`;
  const lines = [counts, ...(notRun === undefined ? [] : ['not run'])];
  if (look.quiet) return lines.join('\n');
  const { reasonLines } = await import('../../report/reasons.ts');
  const reasoned = plan.leftFloat.map(({ node, op, reason }) => ({ name: node, op, reason }));
  const whole = '--json lists every node';
  return [
    ...lines,
    ...reasonLines(reasoned, { ink: palette(look.color), width: look.width, whole, byCount: true }),
  ].join('\n');
}
