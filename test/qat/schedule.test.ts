/** Learning rates over time, and the order of samples: both pure functions of the step. */
import { describe, expect, it } from 'vitest';
import { batchesPerEpoch, epochOrder } from '../../src/qat/batches.ts';
import { rateFactor } from '../../src/qat/optimizers.ts';

describe('the learning rate', () => {
  it('falls along a cosine from 1 to 0', () => {
    const at = (step: number): number => rateFactor({ name: 'cosine', steps: 100, warmup: 0 }, step);
    expect([at(0), at(50), at(100)].map((x) => Number(x.toFixed(12)))).toEqual([1, 0.5, 0]);
    // torch.optim.lr_scheduler.CosineAnnealingLR(T_max=100) after 30 steps.
    expect(at(30)).toBeCloseTo(0.7938926261462366, 12);
  });

  it('drops by ten after a half and three quarters, or not at all', () => {
    const at = (step: number): number => rateFactor({ name: 'step', steps: 100, warmup: 0 }, step);
    expect([0, 49, 50, 74, 75, 99].map(at).map((x) => Number(x.toFixed(6)))).toEqual([1, 1, 0.1, 0.1, 0.01, 0.01]);
    expect(rateFactor({ name: 'constant', steps: 100, warmup: 0 }, 99)).toBe(1);
  });

  it('rises first, and begins its course after that', () => {
    const at = (step: number): number => rateFactor({ name: 'cosine', steps: 14, warmup: 4 }, step);
    expect([0, 1, 2, 3].map(at)).toEqual([0.2, 0.4, 0.6, 0.8]);
    expect([at(4), at(9)].map((x) => Number(x.toFixed(12)))).toEqual([1, 0.5]);
  });
});

describe('the order of samples', () => {
  it('is a permutation, the same for a seed and epoch and another for others', () => {
    const order = [...epochOrder(50, 3, 1)];
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect([...epochOrder(50, 3, 1)]).toEqual(order);
    for (const other of [epochOrder(50, 3, 2), epochOrder(50, 4, 1)]) expect([...other]).not.toEqual(order);
    expect([batchesPerEpoch(50, 16), batchesPerEpoch(15, 16)]).toEqual([3, 0]);
  });
});
