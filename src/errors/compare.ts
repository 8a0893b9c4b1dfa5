/** Errors of comparing two models: models that do not pair, labels that do not fit, gates and report files that cannot be read. */
import { shape } from './data/samples.ts';
import { didYouMean, usageError, type QdqError, dataError, listed as list } from './qdq-error.ts';

const isFull = (cause: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes((cause as NodeJS.ErrnoException).code ?? '');

/** Errors of comparing, of gates and of report files. */
export const compareErrors = {
  scaleRatio: (model: string, node: string, inputScale: number, outputScale: number): QdqError =>
    dataError(
      'COMPARE_SCALE_RATIO',
      `${model}: '${node}' cannot be computed: its input scale is ${inputScale}, its output scale ${outputScale}, a ratio that onnxruntime's integer kernel refuses (it may end the process)`,
      'quantize again with qdq, which limits the scale, or leave the node float; qdq lint lists every such node',
    ),

  inputs: (model: string, missing: readonly string[], given: readonly string[]): QdqError =>
    dataError(
      'COMPARE_INPUTS',
      `${model} needs ${list(missing)}, which the samples do not have (they have ${list(given)})`,
      'both models must read the same inputs: was the second made from the first?',
    ),

  batches: (float: string, floatBatch: number, quant: string, quantBatch: number): QdqError =>
    dataError(
      'COMPARE_BATCH',
      `${float} takes ${floatBatch} samples at once and ${quant} takes ${quantBatch}`,
      'export both models with the same batch dimension',
    ),

  outputs: (quant: string, missing: readonly string[], present: readonly string[]): QdqError =>
    dataError(
      'COMPARE_OUTPUTS',
      `${quant} lacks the outputs ${list(missing)} of the float model (it has ${list(present)})`,
      'outputs are paired by name: was the second model made from the first?',
    ),

  noOutputs: (model: string, why: readonly string[]): QdqError =>
    dataError('COMPARE_NO_OUTPUTS', `no output of ${model} can be compared: ${why.join('; ')}`),

  shapes: (output: string, float: readonly number[], quant: readonly number[], sample: string): QdqError =>
    dataError(
      'COMPARE_SHAPES',
      `output '${output}' is ${shape(float)} in the float model and ${shape(quant)} in the quantized one, at sample '${sample}'`,
      'an output whose size depends on the data (NonMaxSuppression) cannot be paired: compare the models up to the node before it',
    ),

  notFinite: (output: string, sample: string): QdqError =>
    dataError(
      'COMPARE_NOT_FINITE',
      `output '${output}' of the float model holds NaN at sample '${sample}'`,
      'the float model is the reference: check the preprocessing and the model before quantizing it',
    ),

  label: (sample: string, label: number, classes: number, output: string): QdqError =>
    dataError(
      'COMPARE_LABEL',
      `sample '${sample}' has label ${label}, but output '${output}' has classes 0 to ${classes - 1}`,
      'check the labels: class numbers start at 0, and class folders are numbered in sorted order',
    ),

  unknownTask: (name: string, known: readonly string[]): QdqError =>
    usageError(
      'TASK_UNKNOWN',
      `there is no task '${name}'`,
      didYouMean(name, known) ?? `there are ${known.join(', ')}`,
    ),

  taskOption: (task: string, word: string, known: readonly string[]): QdqError =>
    usageError(
      'TASK_OPTION',
      `'${word}' is no setting of task '${task}'`,
      known.length === 0 ? 'it has none' : `write NAME=VALUE, with NAME one of ${known.join(', ')}`,
    ),

  taskOptionAlone: (word: string): QdqError =>
    usageError('TASK_OPTION', `--task-option ${word} is given, but no --task`, 'give --task as well'),

  taskOutputs: (task: string, why: string, outputs: readonly string[]): QdqError =>
    dataError(
      'TASK_OUTPUTS',
      `task '${task}' cannot read the outputs of the model: ${why}`,
      `the outputs are ${outputs.join(', ') || 'none'}; name them with --task-option, or judge them with --metric FILE`,
    ),

  metricModule: (path: string, why: string): QdqError =>
    usageError(
      'METRIC_MODULE',
      `'${path}' is no metric: ${why}`,
      'it exports default { id, unit, better, perfect?, create: () => ({ add, value }) }',
    ),

  noLayers: (): QdqError =>
    dataError(
      'SENSITIVITY_NO_LAYERS',
      'no quantized node of the int8 model could be matched with a node of the float model',
      'the int8 model must be in QDQ format and made from this float model',
    ),

  sensitivityGate: (gate: string): QdqError =>
    usageError(
      'SENSITIVITY_GATE',
      `'${gate}' is no condition that leaving layers float can be judged by`,
      'give output.sqnr, another output.*, agreement or top1.drop, with a number and <=, >=, < or >',
    ),

  noSamples: (source: string): QdqError =>
    usageError(
      'COMPARE_NO_SAMPLES',
      `no sample of ${source} is left for the evaluation`,
      'give --eval, or a smaller --samples',
    ),

  gateSyntax: (text: string): QdqError =>
    usageError(
      'GATE_SYNTAX',
      `gate '${text}' is not METRIC OP VALUE`,
      "write it like 'top1.drop <= 1%', 'warn: output.sqnr >= 20' or 'latency.speedup >= baseline * 90%'",
    ),

  gateMetric: (text: string, metric: string, known: readonly string[]): QdqError =>
    usageError(
      'GATE_METRIC',
      `gate '${text}' asks for '${metric}', which is not a metric`,
      didYouMean(metric, known, `metrics: ${known.join(', ')}`),
    ),

  gatePercent: (text: string, metric: string, unit: string): QdqError =>
    usageError(
      'GATE_PERCENT',
      `gate '${text}': ${metric} is in ${unit}, not in percent`,
      'give the bound as a plain number',
    ),

  gateFraction: (text: string, digits: string): QdqError =>
    usageError(
      'GATE_FRACTION',
      `gate '${text}': the bound is a fraction, and ${digits} is ${Number(digits) * 100}%`,
      `for percent write ${digits}%`,
    ),

  gateOutput: (text: string, output: string, outputs: readonly string[]): QdqError =>
    usageError(
      'GATE_OUTPUT',
      `gate '${text}' asks for output '${output}', which is not compared`,
      didYouMean(output, outputs, `outputs: ${list(outputs)}`),
    ),

  gateTensor: (text: string, tensor: string, tensors: readonly string[]): QdqError =>
    usageError(
      'GATE_TENSOR',
      `gate '${text}' asks for tensor '${tensor}', which is not compared`,
      didYouMean(tensor, tensors, 'the JSON report lists the tensors'),
    ),

  gateUnavailable: (text: string, why: string): QdqError =>
    usageError(
      'GATE_UNAVAILABLE',
      `gate '${text}' cannot be decided: ${why}`,
      'remove the gate, or give it what it needs',
    ),

  reportNotFound: (path: string): QdqError =>
    usageError('REPORT_NOT_FOUND', `${path}: no such file`, "'qdq compare --report FILE' writes one"),

  reportUnreadable: (path: string, cause: unknown): QdqError =>
    dataError('REPORT_UNREADABLE', `${path}: cannot be read: ${(cause as Error).message}`, undefined, cause),

  reportNotJson: (path: string, cause: unknown): QdqError =>
    dataError(
      'REPORT_NOT_JSON',
      `${path}: not JSON: ${(cause as Error).message}`,
      'give the file that --report wrote',
      cause,
    ),

  reportVersion: (path: string, found: unknown, known: number): QdqError =>
    dataError(
      'REPORT_VERSION',
      `${path}: report schema ${JSON.stringify(found) ?? 'missing'}, this qdq reads schema ${known}`,
      'use the version of qdq that wrote the report, or make the report again',
    ),

  reportInvalid: (path: string, where: string, why: string): QdqError =>
    dataError(
      'REPORT_INVALID',
      `${path}: not a report: ${where}: ${why}`,
      'give the file that --report wrote, unchanged',
    ),

  reportUnwritable: (path: string, cause: unknown): QdqError =>
    dataError(
      'REPORT_UNWRITABLE',
      `${path}: the report cannot be written: ${isFull(cause) ? 'the disk is full' : (cause as Error).message}`,
      isFull(cause)
        ? "free some space or choose another disk; the models are there: 'qdq compare' makes the report again"
        : "check the folder and its permissions; the models are there: 'qdq compare' makes the report again",
      cause,
    ),
};

/** Errors of asking for a report in a format that there is not. */
export const reportErrors = {
  format: (format: string, known: readonly string[]): QdqError =>
    usageError(
      'REPORT_FORMAT',
      `'${format}' is no form of a report`,
      didYouMean(format, known, `forms: ${known.join(', ')}`),
    ),

  noFile: (format: string): QdqError =>
    usageError('REPORT_NO_FILE', `'${format}' is not a form of report files`, "'qdq report FILE --format' prints it"),

  formatWithoutReport: (format: string): QdqError =>
    usageError(
      'REPORT_NO_PATH',
      `--report-format ${format} needs a place to write to`,
      'give --report FILE: the other forms are written beside it',
    ),

  updateWithoutBaseline: (): QdqError =>
    usageError('BASELINE_MISSING', '--update-baseline needs to know the file', 'give --baseline FILE'),

  baselineNotFound: (path: string): QdqError =>
    usageError(
      'BASELINE_NOT_FOUND',
      `the baseline ${path} does not exist`,
      'the first time, make it with --baseline FILE --update-baseline',
    ),

  summaryUnwritable: (path: string, cause: unknown): QdqError =>
    usageError(
      'SUMMARY_UNWRITABLE',
      `the job summary ${path} cannot be written: ${(cause as Error).message}`,
      'GITHUB_STEP_SUMMARY names it',
    ),
};
