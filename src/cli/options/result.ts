/** What is written, judged and reported. */
import { choice, flag, integer, list, negatablePath, path, text, type Option } from '../../config/option.ts';
import { defaults } from '../../defaults.ts';
import { newestOpset, oldestOpset } from '../../opset/versions.ts';
import { renderers } from '../../report/index.ts';

const group = 'Result:';

export const result = {
  as: choice(['ort-json', 'tensorrt'], { group, describe: 'whose table to write' }),
  partial: flag({ group, default: false, describe: 'merge although shards are missing' }),
  for: choice(['transformers.js'], { group, describe: 'runtime whose set of files to make' }),
  storage: choice(['int8', 'int4'], {
    group,
    default: defaults.storage,
    describe: 'bits in which the file holds weights of four bits or fewer; they run in the same int8 kernels',
  }),
  output: path({ group, alias: 'o', describe: 'file to write' }),
  externalData: choice(['auto', 'always', 'never'], {
    group,
    default: defaults.externalData,
    describe: 'write tensors to a file beside the model; auto: only when they do not fit in 2 GiB',
  }),
  opset: integer({
    group,
    min: oldestOpset,
    max: newestOpset,
    describe: 'operator set of the result: an older model is upgraded to it, and no further',
    defaultText: "the model's, or what is needed: LayerNormalization 17, Gelu 20, RMSNormalization 23",
  }),
  skip: list({ group, describe: 'fusion pass not to run (repeatable)', expects: 'the name of a fusion pass' }),
  gate: list({
    group,
    describe:
      'condition on the report, "[warn:] METRIC OP BOUND", such as "agreement >= 0.99" or "latency.speedup >= baseline * 90%" (repeatable); exit code 1 when it fails',
    expects: '"METRIC OP BOUND", such as "agreement >= 0.99"',
  }),
  baseline: path({ group, describe: 'JSON report that gates relative to "baseline" compare with' }),
  updateBaseline: flag({
    group,
    default: false,
    describe: 'make this report the baseline, unless an absolute gate fails',
  }),
  until: text({
    group,
    describe: 'search the layers to leave float until this holds, such as "output.sqnr >= 30"',
    expects: '"METRIC OP VALUE", such as "output.sqnr >= 30"',
  }),
  measure: integer({
    group,
    min: 1,
    describe: 'measure only this many layers, the most harmful of a first look at 16 samples',
    defaultText: 'all',
  }),
  into: path({ group, describe: 'report of quantize or compare to add the result to' }),
  task: choice(['detection', 'segmentation', 'regression', 'sequence'], {
    group,
    describe: 'judge the outputs as this task, the float model being the reference',
  }),
  taskOption: list({
    group,
    describe: 'setting of the task, such as score=0.7 iou=0.5 background=0 form=center of detection (repeatable)',
    expects: 'NAME=VALUE, such as score=0.7',
  }),
  metric: list({
    group,
    describe: 'module with a metric of your own: default export { id, better, create } (repeatable)',
    expects: 'the path of a module',
  }),
  layers: flag({
    group,
    describe: 'compare every quantized tensor on every sample; --no-layers: on none',
    defaultText: 'on the first 32',
  }),
  profile: flag({
    group,
    default: false,
    describe: "latency by operator from onnxruntime's profile, float beside int8",
  }),
  report: negatablePath({
    group,
    describe:
      'report to write: JSON, or by its extension .html, .md, .xml (JUnit), .csv, .txt; --no-report: none, and quantize compares nothing',
  }),
  reportFormat: list({
    group,
    describe: 'also write the report as html, markdown, junit, csv or terminal text beside --report (repeatable)',
    expects: 'html, markdown, junit, csv, json or terminal',
  }),
  renderAs: choice(
    renderers.map(({ format }) => format),
    { flag: 'format', group, describe: 'form to write', defaultText: "terminal, or by --output's extension" },
  ),
  htmlStatic: flag({ group, default: false, describe: 'HTML without any script' }),
  github: flag({
    group,
    default: false,
    describe: 'in GitHub Actions: annotations on stderr, and the report in the job summary',
  }),
} satisfies Record<string, Option>;
