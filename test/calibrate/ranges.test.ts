import { describe, expect, it } from 'vitest';
import { widened } from '../../src/calibrate/ranges.ts';
import { activationParams } from '../../src/quantized/quant-params.ts';

const ranges = new Map([
  ['thin', { min: 0, max: 1e-9 }],
  ['negative', { min: -2e-6, max: 0 }],
  ['wide', { min: -1, max: 1 }],
]);

describe('widened', () => {
  it('moves the upper end of a narrow range, as onnxruntime.quantization does', () => {
    expect([...widened(ranges, 1e-4)]).toEqual([
      ['thin', { min: 0, max: 1e-4 }],
      ['negative', { min: -2e-6, max: -2e-6 + 1e-4 }],
      ['wide', { min: -1, max: 1 }],
    ]);
    // compute_scale_zp(0, 1e-9, uint8, min_real_range=1e-4) of onnxruntime: scale 1e-4/255, zero point 0.
    const { scale, zeroPoint } = activationParams(widened(ranges, 1e-4).get('thin')!, 'uint8', false);
    expect([scale, zeroPoint]).toEqual([Math.fround(1e-4 / 255), 0]);
  });

  it('leaves everything as it is when nothing is asked for', () => {
    expect(widened(ranges, undefined)).toBe(ranges);
  });
});
