/**
 * Calibration tables of other tools: ranges by tensor name, as text. Every format is listed in `tableFormats`; to add one, write it here
 * and list it.
 *
 * - onnxruntime.quantization (`calibration_cache_path`, TensorsData in calibrate.py): JSON with the lowest and highest value per tensor.
 *   Histograms, where there are any, have become those two already.
 * - TensorRT (IInt8Calibrator, `trtexec --calib`): a line with version and algorithm, then per tensor its name and, in hexadecimal, the
 *   bits of a float32: the largest magnitude divided by 127.
 */
import { z } from 'zod';
import { tableErrors } from '../errors/calibrate.ts';
import type { Range } from './ranges.ts';

/** What a table says. */
interface Table {
  /** How the tool came to its ranges, in its own words. */
  readonly method: string;
  /** As the table has them: zero may lie outside. */
  readonly ranges: ReadonlyMap<string, Range>;
  /** True when a range is a largest magnitude, so that its lower end tells nothing of the sign. */
  readonly symmetric: boolean;
}

/** A format of tables. */
export interface TableFormat {
  /** What `qdq export --as` names. */
  readonly id: string;
  /** How messages call it. */
  readonly name: string;
  /** Whether a text that begins so is of this format. */
  recognizes(start: string): boolean;
  encode(ranges: ReadonlyMap<string, Range>): string;
  /**
   * @param path how errors call the file
   * @throws TABLE_FORMAT, TABLE_TENSOR
   */
  decode(text: string, path: string): Table;
}

const ortName = "onnxruntime's calibration cache";

/** A number stands alone, or as a numpy array of one element. */
const numpyArray = z.object({ CLS: z.literal('numpy.array'), data: z.unknown() });
const tensorEntry = z.object({ lowest: z.unknown(), highest: z.unknown() });
const cacheFile = z.object({
  CLS: z.literal('TensorsData'),
  data: z.record(z.string(), tensorEntry),
  calibration_method: z.object({ value: z.string() }),
});

/** onnxruntime's. */
export const ort: TableFormat = {
  id: 'ort-json',
  name: ortName,
  recognizes: (start) => start.trimStart().startsWith('{'),

  encode(ranges) {
    const data = Object.fromEntries(
      [...ranges].map(([key, { min, max }]) => [
        key,
        { lowest: toNumpy(min), highest: toNumpy(max), CLS: 'TensorData' },
      ]),
    );
    const method = { CLS: 'CalibrationMethod', value: 'CalibrationMethod.MinMax' };
    return `${JSON.stringify({ CLS: 'TensorsData', data, calibration_method: method, smooth_quant: false })}\n`;
  },

  decode(text, path) {
    const parsed = cacheFile.safeParse(parseJson(text, path));
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw tableErrors.format(path, ortName, `'${issue.path.join('.') || 'the file'}': ${issue.message}`);
    }
    const { data, calibration_method } = parsed.data;
    const ranges = Object.entries(data).map(([key, { lowest, highest }]): [string, Range] => {
      const [min, max] = [fromNumpy(lowest), fromNumpy(highest)];
      if (min === undefined || max === undefined || min > max) throw tableErrors.tensor(path, key);
      return [key, { min, max }];
    });
    return {
      method: calibration_method.value.replace('CalibrationMethod.', ''),
      ranges: new Map(ranges),
      symmetric: false,
    };
  },
};

/** A numpy array of one float32: onnxruntime makes float32 of those alone in every version. */
function toNumpy(data: number): unknown {
  return { data, dtype: 'float32', CLS: 'numpy.array' };
}

function fromNumpy(given: unknown): number | undefined {
  const wrapped = numpyArray.safeParse(given);
  let inner = wrapped.success ? wrapped.data.data : given;
  while (Array.isArray(inner) && inner.length === 1) inner = inner[0] as unknown;
  return typeof inner === 'number' && Number.isFinite(inner) ? inner : undefined;
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw tableErrors.format(path, ortName, (cause as Error).message);
  }
}

const tensorrtName = "TensorRT's calibration cache";
/** TensorRT takes a cache of its own version only; whoever has another one changes this line of the file. */
const tensorrtHeader = 'TRT-8601-EntropyCalibration2';
const levels = 127;

/** TensorRT's. */
export const tensorrt: TableFormat = {
  id: 'tensorrt',
  name: tensorrtName,
  recognizes: (start) => start.startsWith('TRT-'),

  encode(ranges) {
    const lines = [...ranges].flatMap(([tensor, { min, max }]) => {
      const scale = Math.max(-min, max) / levels;
      // A scale of zero means nothing; without one TensorRT leaves the tensor float.
      return scale > 0 ? [`${tensor}: ${bitsOf(scale).toString(16).padStart(8, '0')}`] : [];
    });
    return [tensorrtHeader, ...lines, ''].join('\n');
  },

  decode(text, path) {
    const [first = '', ...lines] = text.split(/\r?\n/);
    const method = /^TRT-\d+-(\w+)\s*$/.exec(first)?.[1];
    if (method === undefined) throw tableErrors.format(path, tensorrtName, `its first line is '${first}'`);
    const ranges = new Map<string, Range>();
    for (const line of lines) {
      if (line.trim() === '') continue;
      // Greedy: names of tensors may hold colons.
      const [, tensor, bits] = /^(.+):\s*([0-9a-f]{1,8})\s*$/i.exec(line) ?? [];
      if (tensor === undefined)
        throw tableErrors.format(path, tensorrtName, `no tensor and scale in the line '${line}'`);
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

/** Every format of tables. */
export const tableFormats = [ort, tensorrt] as const satisfies readonly TableFormat[];

/** The format of a file, by its first bytes; undefined for a state of qdq and anything else. */
export function tableFormatOf(bytes: Uint8Array): TableFormat | undefined {
  // Latin-1 takes any byte; the marks of the formats are ASCII.
  const start = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  return tableFormats.find((format) => format.recognizes(start));
}
