/** What the package holds of every WebAssembly kernel is what its text assembles to. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assemble, kernelSources } from '../bin/dev/build-kernels.ts';

const sources = kernelSources(join(import.meta.dirname, '../src'));

describe('kernels', () => {
  it('are found', () => expect(sources.length).toBeGreaterThanOrEqual(2));

  it.each(sources)('%s.wat is assembled; else run: npm run kernels', async (path) => {
    expect(readFileSync(`${path}.wasm.ts`, 'utf8')).toBe(await assemble(path));
  });
});
