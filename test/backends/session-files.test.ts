/** The optimized graph is read back while its file lives, and gives what the model gives. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { constantBytes, OptimizedGraph } from '../../src/backends/session-files.ts';
import { openSession } from '../../src/backends/session.ts';
import { resnet } from '../support/networks.ts';
import { floats } from '../calibrate/samples.ts';

describe('OptimizedGraph', () => {
  it('runs as it stands', async () => {
    const model = resnet({ blocks: [1, 1], width: 16, size: 32, classes: 10 });
    const feeds = { input: floats([1, 3, 32, 32], Math.sin) };
    const optimized = new OptimizedGraph();
    const first = await openSession(model, optimized.options);
    const expected = await first.run(feeds);
    await first.dispose();
    const read = optimized.read();
    expect([...read.graph.nodes()].length).toBeLessThan([...model.graph.nodes()].length + 5);
    const second = await openSession(read, { level: 'disabled' });
    optimized.remove();
    expect(existsSync(dirname(optimized.options.optimizedModelPath!))).toBe(false);
    expect(await second.run(feeds)).toEqual(expected);
    await second.dispose();
    optimized.remove();
  });

  it('knows how much there is of constants', () => {
    const model = resnet({ blocks: [1], width: 8, size: 32, classes: 10 });
    const sizes = [...model.graph.values.values()].map(({ initializer }) => initializer?.byteLength ?? 0);
    expect(constantBytes(model)).toBe(sizes.reduce((a, b) => a + b));
  });
});
