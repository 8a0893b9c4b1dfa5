/** A model that int8 cannot speed up: large planes of two channels, where the conversions cost more than the arithmetic. */
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { saveModel } from '../../src/onnx/model-file.ts';
import { buildProto, f32, node } from '../support/build.ts';
import { run, temporaryFolder } from './run.ts';

// The figure is what this is about: it is measured for as long as the command does.
vi.unmock('../../src/compare/latency.ts');

const stages = 6;

/** Convolutions of four products per element, average pools (which stay float) between them. */
function pools(path: string): void {
  const nodes = Array.from({ length: stages }, (_, i) => [
    node('Conv', [i === 0 ? 'x' : `p${i - 1}`, `w${i}`], [`c${i}`]),
    node('AveragePool', [`c${i}`], [`p${i}`], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
  ]).flat();
  const weights = Object.fromEntries(Array.from({ length: stages }, (_, i) => [`w${i}`, f32([2, 2, 1, 1])]));
  saveModel(
    buildProto({
      inputs: { x: [1, 2, 256, 256] },
      outputs: { [`p${stages - 1}`]: [1, 2, 256, 256] },
      initializers: weights,
      nodes,
    }),
    path,
  );
}

it('says that it is slower, why, and what would not be, and ends with 1 by a gate', async () => {
  const folder = temporaryFolder();
  const model = join(folder, 'pools.onnx');
  pools(model);
  const words = ['quantize', model, '--data', 'random', '--samples', '2', '--gate', 'latency.speedup>=1.0'];
  const { exitCode, stdout } = await run([...words, '-o', join(folder, 'int8.onnx')]);
  expect(exitCode).toBe(1);
  const text = stdout.replace(/\s+/g, ' ');
  expect(text).toMatch(/FAIL .*slower than float/);
  expect(text).toMatch(/conversions stand between \d+ int8 and 6 float nodes \(6 AveragePool\)/);
  expect(text).toMatch(/leave it float, or for size alone use --format fp16/);
}, 60_000);
