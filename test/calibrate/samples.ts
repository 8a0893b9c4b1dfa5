/** A dataset of samples made in the test. */
import { createHash } from 'node:crypto';
import type { Dataset, Sample } from '../../src/data/sample.ts';
import { positionsOf } from '../../src/data/selection.ts';
import { elementCount, type TensorValue } from '../../src/onnx/data-types.ts';

export function datasetOf(samples: readonly Sample[], options: { readonly stream?: boolean } = {}): Dataset {
  return {
    source: 'made-up',
    format: 'test',
    count: options.stream ? undefined : samples.length,
    labelled: false,
    preprocess: undefined,
    synthetic: true,
    async *samples(selection) {
      for (const position of positionsOf(selection, samples.length)) yield samples[position]!;
    },
    idsHash(selection) {
      const hash = createHash('sha256');
      for (const position of positionsOf(selection, samples.length)) hash.update(`${samples[position]!.id}\n`);
      return hash.digest('hex');
    },
  };
}

/** `count` samples of one float32 input, about uniform in [-1, 1], all different. */
export function floatSamples(count: number, dims: readonly number[], input = 'x'): Sample[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `s${i}`,
    inputs: { [input]: floats(dims, (j) => Math.sin(j * 12.9898 + i * 3.7)) },
  }));
}

export function floats(dims: readonly number[], value: (index: number) => number): TensorValue {
  return { type: 'float32', dims, data: Float32Array.from({ length: elementCount(dims) }, (_, i) => value(i)) };
}

export const sha = 'a'.repeat(64);
