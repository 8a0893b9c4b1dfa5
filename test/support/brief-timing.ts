/**
 * What makes commands dear that few tests care for.
 *
 * Every comparison measures latency for a second and a half, so that its figure is steady. Hundreds of tests compare models, and few
 * of them care: here each model is run as often as the least allows. Who wants the real thing calls `vi.unmock`, or gives a budget.
 *
 * Commands take all cores. Tests run side by side, and onnxruntime's threads wait for each other at full speed: a comparison of
 * small models takes half the CPU time with one. Who wants more says `--threads`.
 */
import { vi } from 'vitest';

const budgetMs = 20;

vi.mock(import('../../src/compare/latency.ts'), async (original) => {
  const { measureLatency, timeModels } = await original();
  return {
    measureLatency: (options) => measureLatency({ budgetMs, ...options }),
    timeModels: (options) => timeModels({ ...options, budgetMs: options.budgetMs ?? budgetMs }),
  };
});

vi.mock(import('../../src/compare/profile.ts'), async (original) => {
  const { profileBoth, ...rest } = await original();
  return { ...rest, profileBoth: (options) => profileBoth({ budgetMs, ...options }) };
});

vi.mock(import('../../src/settings/library.ts'), async (original) => ({
  ...(await original()),
  usualThreads: () => 1,
}));
