/** Whether a change of a quantized model is one for the better: the error of its outputs on samples that the change has not seen. */
import { openSession } from '../backends/session.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Model } from '../graph/model.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

export type Quality = ReadonlyMap<string, readonly number[]>;

/** Relative power below which noise is that of float32. */
const leastNoise = 1e-14;
const tiny = 1e-30;

/** What every sample gives, run after run. */
export async function resultsOf(model: Model, feeds: readonly Tensors[], threads: number): Promise<Tensors[]> {
  const session = await openSession(model, { threads, simulate: true });
  const results: Tensors[] = [];
  try {
    for (const feed of feeds) results.push(await session.run(feed));
  } finally {
    await session.dispose();
  }
  return results;
}

/** By output: dB of signal over noise, sample by sample. What is no float, or differs in shape, is left out. */
export function qualityOf(expected: readonly Tensors[], results: readonly Tensors[]): Quality {
  const quality = new Map<string, number[]>();
  for (const name of Object.keys(expected[0] ?? {})) {
    const each = expected.map((sample, i) => ratioOf(sample[name]!, results[i]![name]!));
    if (each.every((ratio) => ratio !== undefined)) quality.set(name, each);
  }
  return quality;
}

function ratioOf(a: TensorValue, b: TensorValue): number | undefined {
  if (!isFloat(a) || !isFloat(b) || a.data.length !== b.data.length) return undefined;
  let [signal, noise] = [0, 0];
  for (let i = 0; i < a.data.length; i++) {
    const [value, other] = [a.data[i]!, b.data[i]!];
    // Infinities on purpose, in both models.
    if (!Number.isFinite(value) || !Number.isFinite(other)) continue;
    signal += value * value;
    noise += (value - other) ** 2;
  }
  return 10 * Math.log10(Math.max(signal, tiny) / Math.max(noise, signal * leastNoise, tiny));
}

function isFloat(value: TensorValue): value is TensorValue & { readonly data: Float32Array | Float64Array } {
  return value.data instanceof Float32Array || value.data instanceof Float64Array;
}

/** dB that no output may lose for the sake of others. */
const mostLost = 0.1;

/**
 * By more than its standard error in the mean of outputs and samples, and no output surely worse. Ratios of dB, because a few samples hold
 * most of the noise.
 */
export function isBetter(before: Quality, after: Quality): boolean {
  const gains = [...before].flatMap(([name, each]) => {
    const other = after.get(name);
    return other ? [each.map((dB, i) => other[i]! - dB)] : [];
  });
  if (gains.length === 0) return false;
  const bySample = gains[0]!.map((_, sample) => meanOf(gains.map((each) => each[sample]!)));
  return meanOf(bySample) > errorOf(bySample) && gains.every((each) => meanOf(each) + errorOf(each) > -mostLost);
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Standard error of the mean. */
function errorOf(values: readonly number[]): number {
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(1, values.length - 1) / values.length);
}
