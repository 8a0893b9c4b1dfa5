/**
 * One small network for every target: the text of what is emitted is compared with a golden file, the target's lint finds nothing
 * in it, onnxruntime runs it, and its result is near the float one. UPDATE_GOLDEN=1 writes the files anew.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { targets } from '../../src/backends/targets/index.ts';
import { lint } from '../../src/quantized/lint/index.ts';
import { planFor, quantize, run, sqnr } from './support.ts';
import { summaryOf } from './summary.ts';
import { feeds, network } from './target-network.ts';

describe('targets', () => {
  for (const target of targets) {
    if (target.activationTypes.length === 0) continue;
    it(`${target.name}: what is emitted, and that it keeps its own rules`, async () => {
      const model = network();
      const { model: quantized } = await quantize(model, feeds, planFor(model, {}, target));
      const file = new URL(`golden/${target.name}.txt`, import.meta.url);
      const text = summaryOf(quantized);
      if (process.env['UPDATE_GOLDEN'] || !existsSync(file)) writeFileSync(file, text);
      expect(text).toBe(readFileSync(file, 'utf8'));
      expect(lint(quantized, target)).toEqual([]);
      const [float, int8] = [await run(model, feeds), await run(quantized, feeds, { exactInt8: true })];
      // Eight bits give some 40 dB for one tensor; the sums of this network's regular weights cancel, which costs half of that.
      expect(sqnr(float.outputs['y']!, int8.outputs['y']!)).toBeGreaterThan(19);
    });
  }

  it('ort-web: a bias without a zero point is fused all the same', async () => {
    const target = targets.find(({ name }) => name === 'ort-web')!;
    const model = network();
    const { model: quantized } = await quantize(model, feeds, planFor(model, {}, target));
    const { types } = await run(quantized, feeds);
    expect(types.filter((type) => type === 'QLinearConv')).toHaveLength(3);
    expect(types.filter((type) => type === 'QGemm')).toHaveLength(1);
  });

  it('qnn in 16 bits: Sigmoid writes the parameters of its kernel', async () => {
    const target = targets.find(({ name }) => name === 'qnn')!;
    const model = network();
    const plan = planFor(model, { activationType: 'uint16' }, target);
    const { model: quantized } = await quantize(model, feeds, plan);
    expect(summaryOf(quantized)).toMatch(/QuantizeLinear\(gate, float32 0\.0000152588, uint16 0\)/);
    expect(lint(quantized, target)).toEqual([]);
  });
});
