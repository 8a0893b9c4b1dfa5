/** The commands that judge a quantized model beside its float one, and show what was found. */
import { readReport, writeWhole } from '../../compare/report-file.ts';
import { judgeAgain } from '../../compare/verdict.ts';
import { parseGate } from '../../compare/gates.ts';
import { openBaseline, recordBaseline } from '../../pipeline/compare/report-files.ts';
import { checkPlaces } from '../../pipeline/places.ts';
import { findRenderer, rendererOf } from '../../report/index.ts';
import { terminal } from '../../report/terminal.ts';
import { finishReport } from '../finish.ts';
import { defineCommand } from '../command.ts';
import { shown, runFlags } from '../request.ts';

/** `qdq compare`: a float model against the model made from it, on samples. A failed gate is exit code 1. */
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
    return finishReport(result.report, values, console);
  },
});

/** `qdq sensitivity`: what each layer costs in int8, and which to leave float. A bound that no list meets is exit code 1. */
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

/** `qdq report`: a JSON report in another form, and under other gates. No model is opened. */
export const report = defineCommand({
  stages: ['report'],
  summary: 'show a JSON report in another form: terminal, HTML, Markdown, JUnit, CSV',
  positionals: [{ name: 'FILE', describe: "a JSON report of 'qdq compare' or 'qdq quantize'" }],
  examples: [
    ['report model.int8.report.json -o report.html', 'one HTML file with plots; it needs no network'],
    ['report model.int8.report.json --format markdown', 'for a pull request'],
    ['report model.int8.report.json --format junit -o junit.xml', 'a test case per gate'],
    [
      'report r.json --gate "output.sqnr >= baseline - 1" --baseline main.json',
      'other gates; exit code 1 if one fails',
    ],
  ],
  async run({ positionals, values, console }) {
    const file = positionals[0]!;
    const { output, gate, htmlStatic } = values;
    checkPlaces({ ...values, file });
    const baseline = openBaseline(values);
    const stored = readReport(file);
    const judged = gate.length > 0 || baseline ? judgeAgain(stored, gatesOf(gate, stored), baseline) : stored;
    recordBaseline(judged, values);
    const asked = values.renderAs === undefined ? undefined : findRenderer(values.renderAs);
    const renderer = asked ?? (output === undefined ? undefined : rendererOf(output)) ?? terminal;
    if (output === undefined) {
      console.result(judged, () => renderer.render(judged, { ...console.look, static: htmlStatic }));
    } else {
      writeWhole(output, renderer.render(judged, { static: htmlStatic }));
      console.result({ outputPath: output, format: renderer.format, verdict: judged.verdict }, () => shown(output));
    }
    return finishReport(judged, values, console);
  },
});

/** Without gates of its own the command keeps those of the report. */
function gatesOf(texts: readonly string[], { gates }: { gates: readonly { id: string; level: string }[] }) {
  return texts.length > 0 ? texts.map(parseGate) : gates.map(({ id, level }) => parseGate(`${level}: ${id}`));
}
