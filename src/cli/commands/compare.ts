/** `qdq compare`: a float model against the model made from it, on samples. A failed gate is exit code 1. */
import { conclude } from '../conclude.ts';
import { defineCommand } from '../command.ts';
import { shown } from '../paths.ts';
import { runFlags } from '../run-flags.ts';

export const compare = defineCommand({
  stages: ['compare'],
  summary: 'compare a float model with its quantized form: accuracy, outputs, size, speed',
  positionals: [
    { name: 'FLOAT', describe: 'the float model (.onnx)' },
    { name: 'QUANT', describe: 'the model made from it (.onnx)' },
  ],
  examples: [
    ['compare model.onnx int8.onnx --data test/ --preprocess imagenet', 'on every sample of the folder'],
    [
      'compare model.onnx int8.onnx --data test.npz --gate "top1.drop <= 1%"',
      'exit with 1 when accuracy drops by more',
    ],
    ['compare model.onnx int8.onnx --data test.npz --report out.json --report-format html', 'out.json and out.html'],
    [
      'compare model.onnx int8.onnx --data test.npz --baseline main.json --gate "output.sqnr >= baseline - 1"',
      'no worse than the report of record; --update-baseline makes a new one',
    ],
  ],
  async run({ positionals, values, console }) {
    const [float, quant] = positionals as [string, string];
    const { compareFiles } = await import('../../pipeline/compare/compare.ts');
    const { gate: gates, ...rest } = values;
    const result = await compareFiles({ ...rest, gates, float, quant, ...runFlags(values, console) });
    const { renderTerminal } = await import('../../report/terminal.ts');
    const reportPath = result.reportPath === undefined ? {} : { reportPath: shown(result.reportPath) };
    console.result(result.report, () => renderTerminal(result.report, { ...console.look, ...reportPath }));
    return conclude(result.report, values, console);
  },
});
