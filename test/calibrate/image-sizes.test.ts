/** Images of different sizes in one run: a fully convolutional model with open height and width takes them one by one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { calibrate } from '../../src/calibrate/calibrate.ts';
import { rangesOf } from '../../src/calibrate/state.ts';
import { openData } from '../../src/data/open.ts';
import { buildModel, f32, node } from '../support/build.ts';
import { noise, png } from '../data/helpers.ts';
import { sha } from './samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'qdq-sizes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The sum of the channels of every pixel, whatever the size. */
const model = buildModel({
  inputs: { x: ['n', 3, 'h', 'w'] },
  initializers: { w: f32([1, 3, 1, 1], [1, 1, 1]) },
  nodes: [node('Conv', ['x', 'w'], ['y'])],
  outputs: ['y'],
});

describe('images of different sizes', () => {
  it('are calibrated together, each as it is', async () => {
    const images = [noise(5, 4, 1), noise(9, 3, 2), noise(4, 8, 3)];
    for (const [i, image] of images.entries()) writeFileSync(join(folder, `${i}.png`), await png(image));
    const info = { name: 'x', type: 'float32', dims: ['n', 3, 'h', 'w'] } as const;
    const dataset = await openData({ path: folder, preprocess: 'none' }, [info]);
    const state = await calibrate(model, ['y'], dataset, { from: 0 }, { modelSha256: sha });
    const sums = images.flatMap(({ width, height, data }) =>
      Array.from({ length: width * height }, (_, i) => data[3 * i]! + data[3 * i + 1]! + data[3 * i + 2]!),
    );
    expect(state.samples).toBe(3);
    expect([...rangesOf(state)]).toEqual([['y', { min: 0, max: Math.max(...sums) }]]);
  });
});
