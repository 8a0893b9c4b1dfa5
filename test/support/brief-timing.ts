/**
 * Every comparison measures latency for a second and a half, so that its figure is steady. Hundreds of tests compare models, and few
 * of them care: here each model is run as often as the least allows. Who wants the real thing calls `vi.unmock`, or gives a budget.
 */
import { vi } from 'vitest';

const budgetMs = 20;

vi.mock(import('../../src/compare/latency.ts'), async (original) => {
  const { measureLatency } = await original();
  return { measureLatency: (options) => measureLatency({ budgetMs, ...options }) };
});

vi.mock(import('../../src/compare/profile.ts'), async (original) => {
  const { profileBoth, ...rest } = await original();
  return { ...rest, profileBoth: (options) => profileBoth({ budgetMs, ...options }) };
});
