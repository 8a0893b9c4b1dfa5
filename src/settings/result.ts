/** What is written, judged and reported. */
import { choice, flag, integer, list, negatablePath, path, text } from './setting.ts';
import { judged, models, quantizing } from './stages.ts';
import { newestOpset, oldestOpset } from '../opset/versions.ts';

const group = 'Result:';

export const result = {
  /** onnxruntime.quantization's JSON, or TensorRT's calibration cache. */
  as: choice(['ort-json', 'tensorrt'], { group, stages: ['export'], describe: 'whose table to write' }),
  /** Write the state although shards are missing. */
  partial: flag({ group, stages: ['merge'], default: false, describe: 'merge although shards are missing' }),
  for: choice(['transformers.js'], { group, stages: ['variants'], describe: 'runtime whose set of files to make' }),
  /** In how many bits weights of four bits or fewer are stored; the kernels are the same. */
  storage: choice(['int8', 'int4'], {
    group,
    stages: ['convert'],
    default: 'int8',
    describe: 'bits in which the file holds weights of four bits or fewer; they run in the same int8 kernels',
  }),
  /** The file to write; of variants, the folder. */
  output: path({
    group,
    stages: [...models, 'calibrate', 'merge', 'export', 'variants', 'report'],
    alias: 'o',
    describe: 'file to write',
  }),
  externalData: choice(['auto', 'always', 'never'], {
    group,
    stages: models,
    default: 'auto',
    describe: 'write tensors to a file beside the model; auto: only when they do not fit in 2 GiB',
  }),
  /**
   * Operator set of the result: an older model is upgraded to it, and no further. Default: the least that is needed, and what
   * operators that stand in parts need as wholes (LayerNormalization 17, Gelu 20, RMSNormalization 23), where the target runs them.
   */
  opset: integer({
    group,
    stages: ['explain', 'inspect', 'fuse', 'calibrate', 'variants', ...quantizing],
    min: oldestOpset,
    max: newestOpset,
    describe: 'operator set of the result: an older model is upgraded to it, and no further',
    defaultText: "the model's, or what is needed: LayerNormalization 17, Gelu 20, RMSNormalization 23",
  }),
  /** Names of passes that must not run. */
  skip: list({
    group,
    stages: ['fuse'],
    describe: 'fusion pass not to run (repeatable)',
    expects: 'the name of a fusion pass',
  }),
  gate: list({
    group,
    stages: [...judged, 'report'],
    option: 'gates',
    describe:
      'condition on the report, "[warn:] METRIC OP BOUND", such as "agreement >= 0.99" or "latency.speedup >= baseline * 90%" (repeatable); exit code 1 when it fails',
    expects: '"METRIC OP BOUND", such as "agreement >= 0.99"',
  }),
  /** JSON report that relative gates compare with. */
  baseline: path({
    group,
    reads: { kind: 'file', as: 'the baseline' },
    stages: [...judged, 'report'],
    describe: 'JSON report that gates relative to "baseline" compare with',
  }),
  /** Make the report of this run the baseline, unless an error gate fails. */
  updateBaseline: flag({
    group,
    stages: [...judged, 'report'],
    default: false,
    describe: 'make this report the baseline, unless an absolute gate fails',
  }),
  /** "METRIC OP VALUE": search the shortest list of layers to leave float that meets it. */
  until: text({
    group,
    stages: ['sensitivity'],
    describe: 'search the layers to leave float until this holds, such as "output.sqnr >= 30"',
    expects: '"METRIC OP VALUE", such as "output.sqnr >= 30"',
  }),
  /** Measure only this many layers, those that a first look at a few samples finds most harmful. */
  measure: integer({
    group,
    stages: ['sensitivity'],
    min: 1,
    describe: 'measure only this many layers, the most harmful of a first look at 16 samples',
    defaultText: 'all',
  }),
  /** A report file to add the result to. */
  into: path({
    group,
    reads: { kind: 'file', as: 'the report' },
    stages: ['sensitivity'],
    describe: 'report of quantize or compare to add the result to',
  }),
  /** A task judged against the float model: detection, segmentation, regression or sequence. */
  task: choice(['detection', 'segmentation', 'regression', 'sequence'], {
    group,
    stages: judged,
    describe: 'judge the outputs as this task, the float model being the reference',
  }),
  /** Settings of the task, `NAME=VALUE` each. */
  taskOption: list({
    group,
    stages: judged,
    describe: 'setting of the task, such as score=0.7 iou=0.5 background=0 form=center of detection (repeatable)',
    expects: 'NAME=VALUE, such as score=0.7',
  }),
  /** Modules with metrics of the user's own. */
  metric: list({
    group,
    reads: { kind: 'file', as: 'the metric' },
    stages: judged,
    describe: 'module with a metric of your own: default export { id, better, create } (repeatable)',
    expects: 'the path of a module',
  }),
  /** Compare tensor by tensor: true on every sample, false not at all, absent on the first few. */
  layers: flag({
    group,
    stages: judged,
    describe: 'compare every quantized tensor on every sample; --no-layers: on none',
    defaultText: 'on the first 32',
  }),
  /** Measure latency by operator too. */
  profile: flag({
    group,
    stages: judged,
    default: false,
    describe: "latency by operator from onnxruntime's profile, float beside int8",
  }),
  /**
   * Where the report goes; its form follows from the extension: .html, .md, .xml (JUnit), .csv, .txt, else JSON. Absent: the models are
   * compared and no file is written. False: they are not compared; the quantized model is loaded and run once, and that is all.
   */
  report: negatablePath({
    group,
    stages: judged,
    describe:
      'report to write: JSON, or by its extension .html, .md, .xml (JUnit), .csv, .txt; --no-report: none, and quantize compares nothing',
  }),
  /** Names of more forms (html, markdown, junit, csv, json, terminal), written beside `report` under their extensions. */
  reportFormat: list({
    group,
    stages: judged,
    describe: 'also write the report as html, markdown, junit, csv or terminal text beside --report (repeatable)',
    expects: 'html, markdown, junit, csv, json or terminal',
  }),
  renderAs: choice(['terminal', 'markdown', 'junit', 'annotations', 'csv', 'html', 'json'], {
    flag: 'format',
    group,
    stages: ['report'],
    option: false,
    describe: 'form to write',
    defaultText: "terminal, or by --output's extension",
  }),
  /** HTML without any script. */
  htmlStatic: flag({ group, stages: [...judged, 'report'], default: false, describe: 'HTML without any script' }),
  github: flag({
    group,
    stages: [...judged, 'report'],
    option: false,
    default: false,
    describe: 'in GitHub Actions: annotations on stderr, and the report in the job summary',
  }),
};
