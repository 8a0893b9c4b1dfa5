import { describe, expect, it } from 'vitest';
import { findCauses, type CauseContext } from '../../../src/compare/layers/causes.ts';
import type { TensorRow } from '../../../src/compare/report.ts';

const context: CauseContext = { calibration: 'minmax over 100 samples', saturated: false };
const row = (name: string, changes: Partial<TensorRow> = {}): TensorRow => ({
  name: `${name}_q`,
  origin: name,
  node: `/${name}`,
  op: 'Conv',
  kind: 'activation',
  bits: 8,
  scheme: 'u8 per tensor',
  isolated: { sqnrDb: 38, rmseOverScale: 0.29, saturatedPct: 0, zeroedPct: 1 },
  accumulated: { sqnrDb: 30, cosine: 0.999 },
  range: { min: 0, max: 1, clipMin: 0, clipMax: 1, p01: 0, p999: 0.9 },
  ...changes,
});
const clipped = { sqnrDb: 12, rmseOverScale: 1.91, saturatedPct: 0.8, zeroedPct: 0 };
const coarse = { sqnrDb: 14, rmseOverScale: 0.2, saturatedPct: 0, zeroedPct: 60 };

describe('causes', () => {
  it('are none for healthy tensors', () => {
    expect(findCauses([row('a'), row('b')], context)).toEqual([]);
  });

  it('call an error above half a step clipping, whose remedy follows from the calibration', () => {
    const sick = row('a', { isolated: clipped, range: { min: 0, max: 16, clipMin: 0, clipMax: 1 } });
    const [cause] = findCauses([row('b'), sick], context);
    expect(cause).toMatchObject({ tensor: 'a', cause: 'clipping', tryFlag: "--exclude '/a'" });
    expect(cause!.text).toMatch('0.8% of its values are clipped, its range is 16 times what the codes can say');
    const little = row('a', { isolated: clipped, range: { min: 0, max: 1.4, clipMin: 0, clipMax: 1 } });
    expect(findCauses([little], context)[0]!.tryFlag).toBe('--samples 500');
    expect(findCauses([sick], { ...context, calibration: 'mse over 9 samples' })[0]!.tryFlag).toBe('--observer minmax');
  });

  it('tell outliers from a range that is too wide', () => {
    const outliers = row('a', {
      isolated: coarse,
      range: { min: 0, max: 50, clipMin: 0, clipMax: 50, p01: 0, p999: 2 },
    });
    const wide = row('b', { isolated: coarse, range: { min: 0, max: 2, clipMin: 0, clipMax: 50, p01: 0, p999: 1.9 } });
    expect(findCauses([outliers], context)[0]).toMatchObject({ cause: 'outliers', tryFlag: '--observer mse' });
    expect(findCauses([wide], context)[0]).toMatchObject({ cause: 'range too wide' });
  });

  it('see one scale over channels of different size', () => {
    const channel = (index: number, max: number, sqnrDb: number) => ({ index, min: -max, max, scale: 0.1, sqnrDb });
    const weight = row('w', {
      kind: 'weight',
      isolated: { sqnrDb: 33, rmseOverScale: 0.29, saturatedPct: 0, zeroedPct: 20 },
      accumulated: undefined,
      channels: { count: 2, spread: 60, shown: [channel(0, 12, 40), channel(1, 0.2, 3)] },
    });
    expect(findCauses([weight], context)[0]).toMatchObject({
      cause: 'weight channel spread',
      tryFlag: '--no-per-tensor',
    });
    // With a scale per channel the spread does no harm.
    expect(findCauses([{ ...weight, axis: 0 }], context)).toEqual([]);
  });

  it('rank the worst first and name where inherited damage comes from', () => {
    const first = row('a', { isolated: clipped });
    const second = row('b', { isolated: { ...clipped, sqnrDb: 5 } });
    const heir = row('c', { accumulated: { sqnrDb: 4, cosine: 0.8 } });
    const causes = findCauses([first, second, heir], context);
    expect(causes.map(({ tensor, cause }) => `${tensor} ${cause}`)).toEqual([
      'b clipping',
      'a clipping',
      'c inherited',
    ]);
    expect(causes[2]!.text).toMatch("the worst quantizer before it is 'b' with 5.0 dB");
    expect(findCauses([heir], { ...context, saturated: true })[0]).toMatchObject({
      cause: 'saturating products',
      tryFlag: '--reduce-range',
    });
  });
});
