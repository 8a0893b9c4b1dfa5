/** The commands of calibration states: made by `qdq calibrate`, joined by `qdq merge`, written for other tools by `qdq export`. */
import { plural } from '../../report/format.ts';
import { defineCommand } from '../command.ts';
import { checkWorkers, parseShard, runFlags, shown } from '../request.ts';
import { healthLines } from '../../report/health.ts';

/** `qdq calibrate`: observe the ranges of a model's activations, as a state file that `quantize --state` reads. */
export const calibrate = defineCommand({
  stages: ['calibrate'],
  summary: 'observe the ranges of activations on samples, as a calibration state',
  positionals: [{ name: 'MODEL', describe: 'the float model (.onnx)' }],
  required: ['output'],
  examples: [
    ['calibrate model.onnx --data images/ --preprocess imagenet -o ranges.state', 'observe once'],
    ['quantize model.onnx --state ranges.state -o int8.onnx', 'quantize from it, as often as needed'],
    ['calibrate model.onnx --data images/ --shard 2/5 -o shard2.state', "a fifth of the samples, for 'qdq merge'"],
  ],
  async run({ positionals, values, console }) {
    const model = positionals[0]!;
    const output = values.output!;
    // How a run is shown is no part of what it calibrates: a quiet run may be gone on with by one that is not.
    const { shard, json, quiet, verbose, ...rest } = values;
    checkWorkers(values);
    const share = shard === undefined ? {} : { shard: parseShard(shard, process.env) };
    const { calibrateModel } = await import('../../pipeline/index.ts');
    const result = await calibrateModel({ ...rest, ...share, output, model, ...runFlags(values, console) });
    console.result(result, () => {
      const count = `${plural(result.tensors, 'tensor')} observed on ${plural(result.samples, 'sample')}`;
      const lines = result.health ? healthLines(result.health, console.look.width) : [];
      return [`${count}   ${shown(result.outputPath)}`, ...lines.slice(1)].join('\n');
    });
    return 0;
  },
});

/** `qdq merge`: the states of `qdq calibrate --shard` become the state of the whole run. */
export const merge = defineCommand({
  stages: ['merge'],
  summary: 'make one calibration state of the states of its shards',
  positionals: [
    { name: 'STATE', describe: "a file of 'qdq calibrate --shard'; all shards, in any order", repeatable: true },
  ],
  required: ['output'],
  examples: [
    ['merge shard1.state shard2.state -o ranges.state', 'the same bytes as one run over all samples'],
    ['merge shard2.state -o some.state --partial', 'go on without the others'],
  ],
  async run({ positionals, values, console }) {
    const output = values.output!;
    const { mergeCalibrations } = await import('../../pipeline/index.ts');
    const result = mergeCalibrations({ states: positionals, output, partial: values.partial });
    const { shards, missing } = result;
    if (missing.length > 0)
      console.warn(
        `${missing.length} of ${shards} shards are missing: ${missing.join(', ')}; the ranges leave them out`,
      );
    console.result(result, () => {
      const held = plural(shards - missing.length, 'shard');
      return `${held} with ${plural(result.samples, 'sample')}   ${shown(result.outputPath)}`;
    });
    return 0;
  },
});

/** `qdq export`: the ranges of a calibration state, as a table that another tool reads. */
export const exportTable = defineCommand({
  stages: ['export'],
  summary: 'write the ranges of a calibration state as a table for another tool',
  positionals: [{ name: 'STATE', describe: "a file of 'qdq calibrate' or 'qdq merge'" }],
  required: ['as', 'output'],
  examples: [
    ['export ranges.state --as ort-json -o cache.json', "onnxruntime's quantize_static(calibration_cache_path=...)"],
    [
      'export ranges.state --as tensorrt -o calib.cache',
      'trtexec --calib; its first line names the version of TensorRT',
    ],
    ['quantize model.onnx --state calib.cache --data test/', 'the other way: quantize reads such tables as well'],
  ],
  async run({ positionals, values, console }) {
    const state = positionals[0]!;
    const output = values.output!;
    const { exportCalibration } = await import('../../pipeline/index.ts');
    const result = exportCalibration({ state, as: values.as!, output });
    console.result(result, () => `${plural(result.tensors, 'tensor')}   ${shown(result.outputPath)}`);
    return 0;
  },
});
