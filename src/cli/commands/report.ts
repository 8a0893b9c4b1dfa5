/** `qdq report`: a JSON report in another form, and under other gates. No model is opened. */
import { readReport, writeWhole } from '../../compare/report-file.ts';
import { judgeAgain } from '../../compare/verdict.ts';
import { parseGate } from '../../compare/gates.ts';
import { openBaseline, recordBaseline } from '../../pipeline/compare/report-files.ts';
import { checkPlaces } from '../../pipeline/places.ts';
import { findRenderer, rendererOf } from '../../report/index.ts';
import { terminal } from '../../report/terminal.ts';
import { conclude } from '../conclude.ts';
import { defineCommand } from '../command.ts';
import { shown } from '../paths.ts';

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
    return conclude(judged, values, console);
  },
});

/** Without gates of its own the command keeps those of the report. */
function gatesOf(texts: readonly string[], { gates }: { gates: readonly { id: string; level: string }[] }) {
  return texts.length > 0 ? texts.map(parseGate) : gates.map(({ id, level }) => parseGate(`${level}: ${id}`));
}
