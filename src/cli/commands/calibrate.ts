/** `qdq calibrate`: observe the ranges of a model's activations, as a state file that `quantize --state` reads. */
import { cliErrors } from '../../errors/cli.ts';
import { defineCommand } from '../command.ts';
import { shown } from '../paths.ts';
import { runFlags } from '../run-flags.ts';
import { parseShard } from '../shard.ts';
import { plural } from '../../report/format.ts';
import { healthLines } from '../../report/health.ts';

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
    if (values.workers > 1 && values.threads !== undefined)
      throw cliErrors.conflict('--threads', '--workers', 'each worker has one thread');
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
