/**
 * Three projects. `cli` runs the compiled command too and compiles it first; `unit` runs from source. The files of either share
 * their worker's modules, because loading these anew for every file takes longer than most files do; so what a test changes (the
 * environment, spies) it sets back. `apart` holds the files that cannot share.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** They replace modules, or want one that is replaced for all others (test/support/brief-timing.ts). */
const apart = ['test/onnx/save-model.test.ts', 'test/data/tokenizer.test.ts', 'test/cli/slower.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // One worker fewer than cores is the default; of two cores it would leave one idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    setupFiles: ['./test/support/brief-timing.ts', './test/support/equal-bytes.ts'],
    reporters: ['default', './test/support/closing-line.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/cli/**', 'test/bench/**', ...apart],
          isolate: false,
        },
      },
      { extends: true, test: { name: 'apart', include: apart } },
      {
        extends: true,
        test: {
          name: 'cli',
          include: ['test/cli/**/*.test.ts'],
          exclude: apart,
          isolate: false,
          globalSetup: ['test/support/compile.ts'],
          server: { deps: { external: [/\/dist\/src\//] } },
        },
      },
    ],
  },
});
