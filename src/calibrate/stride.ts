/**
 * How far apart the elements of a sample stand in the flat tensor (sample.ts): a prime that does not divide the number of elements,
 * and so has no common divisor with any dimension. Whichever of them are the channels, each has its turn: a stride of 2 would pass
 * over half of 768.
 */

/** Elements of a tensor per sample of data, about, where it has more. Twice as many win 0.1 dB and cost a tenth of an inference. */
export const budget = 12_288;

/** Tensors that want a larger stride have more elements taken. */
const largest = 4096;
/** So many primes one after the other: their product is above any number of elements that wants one of them. */
const choice = 8;

/** Row n: the primes from n on; where everything is taken, ones. */
export const strides: readonly (readonly number[])[] = rows();

/** @param elements per sample of data */
export function strideOf(elements: number): number {
  const row = strides[Math.min(Math.ceil(elements / budget), largest)]!;
  return row.find((stride) => elements % stride !== 0) ?? row[0]!;
}

function rows(): number[][] {
  const primes: number[] = [];
  for (let n = 2; (primes.at(-choice) ?? 0) < largest; n++)
    if (!primes.some((prime) => n % prime === 0)) primes.push(n);
  let at = 0;
  return Array.from({ length: largest + 1 }, (_, level) => {
    if (level < 2) return Array.from({ length: choice }, () => 1);
    while (primes[at]! < level) at++;
    return primes.slice(at, at + choice);
  });
}
