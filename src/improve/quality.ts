/**
 * Whether a change of a quantized model is one for the better: the error of its outputs on samples that the change has not seen, in dB for
 * each sample, because a few samples hold most of the noise.
 */
import { openSession, type Session } from '../backends/session.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Model } from '../graph/model.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

/** By output: dB of signal over noise, sample by sample. */
export type Quality = ReadonlyMap<string, readonly number[]>;

/** Relative power below which noise is that of float32. */
const leastNoise = 1e-14;
/** Keeps powers of 0 from dividing. */
const tiny = 1e-30;

/** The float model, and the quantized model before and after the change. */
export interface Candidates {
  readonly float: Model;
  readonly before: Model;
  readonly after: Model;
}

/** Runs all three models on each sample, and keeps no more of it than the ratios. */
export async function measureQualities(
  { float, before, after }: Candidates,
  feeds: readonly Tensors[],
  threads: number,
): Promise<{ readonly before: Quality; readonly after: Quality }> {
  const sessions = await Promise.all(
    [float, before, after].map((model) => openSession(model, { threads, simulate: true })),
  );
  const [reference, ...quantized] = sessions as [Session, Session, Session];
  const qualities = quantized.map(() => new Map<string, number[]>());
  try {
    for (const feed of feeds) {
      const expected = await reference.run(feed);
      for (const [i, session] of quantized.entries()) addRatios(qualities[i]!, expected, await session.run(feed));
    }
  } finally {
    await Promise.all(sessions.map((session) => session.dispose()));
  }
  const whole = qualities.map((each) => new Map([...each].filter(([, ratios]) => ratios.length === feeds.length)));
  return { before: whole[0]!, after: whole[1]! };
}

/** Appends the dB of one sample, for each output that can be compared. */
export function addRatios(quality: Map<string, number[]>, expected: Tensors, results: Tensors): void {
  for (const [name, value] of Object.entries(expected)) {
    const ratio = ratioOf(value, results[name]!);
    if (ratio === undefined) continue;
    if (quality.has(name)) quality.get(name)!.push(ratio);
    else quality.set(name, [ratio]);
  }
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
 * Whether the change is better by more than its standard error, in the mean over outputs and samples, and no output is surely worse.
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

/** Arithmetic mean; values not empty. */
export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Standard error of the mean. */
function errorOf(values: readonly number[]): number {
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(1, values.length - 1) / values.length);
}
