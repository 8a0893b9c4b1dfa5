import { describe, expect, it } from 'vitest';
import { release } from '../../src/backends/release.ts';
import { openSession } from '../../src/backends/session.ts';
import { buildModel, node } from '../support/build.ts';

const length = 2 ** 20;
const relu = buildModel({
  inputs: { x: [length] },
  nodes: [node('Relu', ['x'], ['y'])],
  outputs: { y: [length] },
});

describe('release', () => {
  it('empties what onnxruntime returned at once, and lets it go on', async () => {
    const session = await openSession(relu);
    const x = { type: 'float32' as const, dims: [length], data: new Float32Array(length).fill(3) };
    const before = process.memoryUsage().arrayBuffers;
    for (let run = 0; run < 20; run++) {
      const results = await session.run({ x });
      expect(results['y']!.data[length - 1]).toBe(3);
      release(Object.values(results));
      expect(results['y']!.data).toHaveLength(0);
    }
    await session.dispose();
    // Twenty results of 4 MB each, of which none is left, collected or not.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * length);
    expect(x.data[0]).toBe(3);
  });

  it('takes tensors that share a buffer, and none', () => {
    const { buffer } = new Float32Array(8);
    const part = (from: number) => ({ type: 'float32' as const, dims: [4], data: new Float32Array(buffer, from, 4) });
    const parts = [part(0), part(16)];
    release(parts);
    expect(parts.map(({ data }) => data.length)).toEqual([0, 0]);
    release([]);
  });
});
