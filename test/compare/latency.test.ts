import { describe, expect, it } from 'vitest';
import { measureLatency } from '../../src/compare/latency.ts';

/** A clock that only the runs move. */
function fakeModels(floatMs: number, quantMs: number) {
  let time = 0;
  const log: string[] = [];
  const run = (name: string, ms: number) => async () => {
    log.push(name);
    time += ms;
  };
  return { float: run('f', floatMs), quant: run('q', quantMs), now: () => time, log };
}

describe('measureLatency', () => {
  it('takes turns until the budget is spent', async () => {
    const { log, ...models } = fakeModels(4, 2);
    const latency = await measureLatency({ ...models, batch: 1, budgetMs: 120 });
    expect(latency).toEqual({ float: { p50: 4, p95: 4 }, quant: { p50: 2, p95: 2 }, speedup: 2, runs: 20, batch: 1 });
    expect(log.slice(0, 4).join('')).toBe('fqfq');
    expect(log.slice(4, 12).join('')).toBe('fqqffqqf');
  });

  it('runs each at least ten times, however slow', async () => {
    const latency = await measureLatency({ ...fakeModels(1000, 3000), batch: 4, budgetMs: 1 });
    expect(latency.runs).toBe(10);
    expect(latency.speedup).toBeCloseTo(1 / 3, 12);
    expect(latency.batch).toBe(4);
  });
});
