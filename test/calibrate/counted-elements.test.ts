/** Ranges of masked scores against the same cut in JavaScript, and int8 models of them against float. */
import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/backends/session.ts';
import { qnn } from '../../src/backends/targets/mobile.ts';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { setOutputs } from '../../src/calibrate/graph-outputs.ts';
import { copyModel } from '../../src/graph/from-proto.ts';
import { rangesOf } from '../../src/calibrate/state.ts';
import type { Sample } from '../../src/data/sample.ts';
import type { Model } from '../../src/graph/model.ts';
import { checkModel } from '../../src/graph/spec.ts';
import { observedTensors } from '../../src/quantizable/plan.ts';
import { emitQdq } from '../../src/quantized/qdq.ts';
import { gaussian } from '../quantized/make-quantized.ts';
import { planFor, run, sqnr } from '../quantized/support.ts';
import { attention } from '../support/attention.ts';
import { masks } from '../support/masks.ts';
import { datasetOf, sha } from './samples.ts';

const tokens = 8;
const samples: Sample[] = Array.from({ length: 6 }, (_, i) => ({
  id: `s${i}`,
  inputs: { x: { type: 'float32', dims: [1, tokens, 32], data: gaussian(tokens * 32, i + 5) } },
}));
/** Weights that cannot saturate, and everything in int8. */
const target = { ...qnn, scheme: { ...qnn.scheme, weightRange: 'pairs' as const } };

const calibrated = (model: Model, tensors: readonly string[], options = {}) =>
  calibrate(model, tensors, datasetOf(samples), [0, 1, 2, 3, 4, 5], { modelSha256: sha, ...options });

/** Of each row what lies at most ln(2·255·n) below its largest element; of a row far below all others nothing. */
async function expected(model: Model): Promise<{ min: number; max: number }> {
  const copy = copyModel(model);
  setOutputs(copy.graph, [copy.graph.values.get('masked')!]);
  const session = await openSession(copy);
  let [min, max] = [0, 0];
  for (const { inputs } of samples) {
    const data = (await session.run(inputs))['masked']!.data as Float32Array;
    const rows = Array.from({ length: tokens }, (_, r) => [...data.subarray(r * tokens, (r + 1) * tokens)]);
    const tops = rows.map((row) => Math.max(...row));
    rows.forEach((row, r) => {
      if (tops[r]! < Math.max(...tops) - 1000) return;
      min = Math.min(min, ...row.map((value) => Math.max(value, tops[r]! - Math.log(2 * 255 * tokens))));
      max = Math.max(max, tops[r]!);
    });
  }
  await session.dispose();
  return { min, max };
}

describe('what is masked before a Softmax', () => {
  it.each(Object.entries(masks))('does not count: %s', async (_, options) => {
    const model = attention({ tokens, ...options });
    const plan = planFor(model, {}, target);
    const names = observedTensors(plan);
    const ranges = rangesOf(await calibrated(model, names));
    const { min, max } = await expected(model);
    expect(ranges.get('masked')!.min).toBeCloseTo(min, 4);
    expect(ranges.get('masked')!.max).toBeCloseTo(max, 4);
    for (const [name, range] of ranges) expect([name, range.max - range.min < 400]).toEqual([name, true]);

    const { model: int8 } = emitQdq(model, plan, ranges);
    checkModel(int8);
    const noises = await Promise.all(
      samples.map(async ({ inputs }) =>
        sqnr((await run(model, inputs)).outputs['y']!, (await run(int8, inputs)).outputs['y']!),
      ),
    );
    const mean = noises.reduce((sum, each) => sum + each, 0) / noises.length;
    // The row that is masked as a whole has other weights in int8: nobody reads it.
    if (options !== masks['a row without anything']) expect(mean).toBeGreaterThan(20);
  });

  it.each(['percentile', 'mse', 'entropy', 'histogram', 'average'])(
    'for the observer %s too, sampled or exact',
    async (observer) => {
      const model = attention({ tokens, ...masks['Add of minus infinity'] });
      const low = (await expected(model)).min;
      for (const exact of [0, 1]) {
        const observerOptions = observer === 'average' ? {} : { exact };
        const { min, max } = rangesOf(await calibrated(model, ['masked'], { observer, observerOptions })).get(
          'masked',
        )!;
        expect(min).toBeGreaterThanOrEqual(low - 1e-4);
        expect(min).toBeLessThan(low / 3);
        expect(max).toBeGreaterThan(0.3);
      }
    },
  );

  it('gives the same range for any batch size asked for', async () => {
    const model = attention({ tokens, ...masks['computed from ones and zeros'] });
    const [alone, batched] = await Promise.all(
      [1, 4].map(async (batchSize) => rangesOf(await calibrated(model, ['masked', 'far'], { batchSize }))),
    );
    expect(batched).toEqual(alone);
  });

  it('counts where something else reads it as well', async () => {
    const { mask, initializers } = masks['Add of -1e4']!;
    const model = attention({ tokens, mask: mask!, initializers: initializers! });
    model.graph.addOutput(model.graph.values.get('masked')!);
    expect(rangesOf(await calibrated(model, ['masked'])).get('masked')!.min).toBeLessThan(-9000);
  });
});
