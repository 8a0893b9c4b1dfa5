/**
 * TensorRT's calibration cache (IInt8Calibrator, `trtexec --calib`): a line with version and algorithm, then per tensor its name and,
 * in hexadecimal, the bits of a float32: the largest magnitude divided by 127.
 */
import { tableErrors } from '../../errors/calibrate.ts';
import type { Range } from '../ranges.ts';
import type { TableFormat } from './table.ts';

const name = "TensorRT's calibration cache";
/** TensorRT takes a cache of its own version only; whoever has another one changes this line of the file. */
const header = 'TRT-8601-EntropyCalibration2';
const levels = 127;

export const tensorrt: TableFormat = {
  id: 'tensorrt',
  name,
  recognizes: (start) => start.startsWith('TRT-'),

  encode(ranges) {
    const lines = [...ranges].flatMap(([tensor, { min, max }]) => {
      const scale = Math.max(-min, max) / levels;
      // A scale of zero means nothing; without one TensorRT leaves the tensor float.
      return scale > 0 ? [`${tensor}: ${bitsOf(scale).toString(16).padStart(8, '0')}`] : [];
    });
    return [header, ...lines, ''].join('\n');
  },

  decode(text, path) {
    const [first = '', ...lines] = text.split(/\r?\n/);
    const method = /^TRT-\d+-(\w+)\s*$/.exec(first)?.[1];
    if (method === undefined) throw tableErrors.format(path, name, `its first line is '${first}'`);
    const ranges = new Map<string, Range>();
    for (const line of lines) {
      if (line.trim() === '') continue;
      // Greedy: names of tensors may hold colons.
      const [, tensor, bits] = /^(.+):\s*([0-9a-f]{1,8})\s*$/i.exec(line) ?? [];
      if (tensor === undefined) throw tableErrors.format(path, name, `no tensor and scale in the line '${line}'`);
      const max = floatOf(parseInt(bits!, 16)) * levels;
      if (!(max >= 0 && max < Infinity)) throw tableErrors.tensor(path, tensor);
      ranges.set(tensor, { min: -max, max });
    }
    return { method, ranges, symmetric: true };
  },
};

function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!;
}

function floatOf(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0]!;
}
