/** `qdq export`: the ranges of a calibration state, as a table that another tool reads. */
import { plural } from '../../report/format.ts';
import { defineCommand } from '../command.ts';
import { shown } from '../paths.ts';

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
