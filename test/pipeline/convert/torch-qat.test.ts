/** A model as PyTorch exports it after quantization-aware training: converted, and trained further. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSession } from '../../../src/backends/session.ts';
import { convertModel, finetuneModel } from '../../../src/index.ts';

const fixture = (name: string): string => resolve(import.meta.dirname, '../../../fixtures/torch-qat', name);
const folder = mkdtempSync(join(tmpdir(), 'qdq-torch-'));
const model = fixture('model.onnx');
const expected = JSON.parse(readFileSync(fixture('expected.json'), 'utf8')) as { x: number[]; y: number[] };

async function outputsOf(path: string): Promise<Float32Array> {
  const session = await openSession(path, { exactInt8: true });
  const x = { type: 'float32' as const, dims: [2, 3, 8, 8], data: Float32Array.from(expected.x) };
  const { y } = await session.run({ x });
  await session.dispose();
  return y!.data as Float32Array;
}

describe("PyTorch's export of quantization-aware training", () => {
  it('converts to the outputs that PyTorch computed', async () => {
    const output = join(folder, 'int8.onnx');
    const result = await convertModel({ model, output });
    expect(result).toMatchObject({ weights: 3, biases: 3, absorbed: 2 });
    const outputs = await outputsOf(output);
    // The mean of 64 sums of 8 products; a code that falls to the other side in one of them moves it by far less than this.
    expected.y.forEach((value, i) => expect(Math.abs(outputs[i]! - value)).toBeLessThan(0.004));
  });

  it('trains further, towards its own float weights', async () => {
    const { training, evaluations } = await finetuneModel({
      model,
      output: join(folder, 'tuned.onnx'),
      data: 'random',
      samples: 48,
      batch: 16,
      steps: 12,
      loss: 'mse',
      lr: 0.0005,
    });
    const mean = (part: typeof training): number => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
    expect(mean(training.slice(-4))).toBeLessThan(mean(training.slice(0, 4)));
    expect(evaluations.at(-1)!.step).toBe(12);
  });
});
