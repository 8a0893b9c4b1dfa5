/**
 * The calibration cache of onnxruntime.quantization (`calibration_cache_path`, TensorsData in calibrate.py): JSON with the lowest and
 * highest value per tensor. Histograms, where there are any, have become those two already.
 */
import { z } from 'zod';
import { tableErrors } from '../../errors/calibrate.ts';
import type { Range } from '../ranges.ts';
import type { TableFormat } from './table.ts';

const name = "onnxruntime's calibration cache";

/** A number stands alone, or as a numpy array of one element. */
const array = z.object({ CLS: z.literal('numpy.array'), data: z.unknown() });
const tensor = z.object({ lowest: z.unknown(), highest: z.unknown() });
const cache = z.object({
  CLS: z.literal('TensorsData'),
  data: z.record(z.string(), tensor),
  calibration_method: z.object({ value: z.string() }),
});

export const ort: TableFormat = {
  id: 'ort-json',
  name,
  recognizes: (start) => start.trimStart().startsWith('{'),

  encode(ranges) {
    const data = Object.fromEntries(
      [...ranges].map(([key, { min, max }]) => [key, { lowest: number(min), highest: number(max), CLS: 'TensorData' }]),
    );
    const method = { CLS: 'CalibrationMethod', value: 'CalibrationMethod.MinMax' };
    return `${JSON.stringify({ CLS: 'TensorsData', data, calibration_method: method, smooth_quant: false })}\n`;
  },

  decode(text, path) {
    const parsed = cache.safeParse(parse(text, path));
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw tableErrors.format(path, name, `'${issue.path.join('.') || 'the file'}': ${issue.message}`);
    }
    const { data, calibration_method } = parsed.data;
    const ranges = Object.entries(data).map(([key, { lowest, highest }]): [string, Range] => {
      const [min, max] = [value(lowest), value(highest)];
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

/** onnxruntime makes float32 of numpy arrays alone in every version. */
function number(data: number): unknown {
  return { data, dtype: 'float32', CLS: 'numpy.array' };
}

function value(given: unknown): number | undefined {
  const wrapped = array.safeParse(given);
  let inner = wrapped.success ? wrapped.data.data : given;
  while (Array.isArray(inner) && inner.length === 1) inner = inner[0] as unknown;
  return typeof inner === 'number' && Number.isFinite(inner) ? inner : undefined;
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw tableErrors.format(path, name, (cause as Error).message);
  }
}
