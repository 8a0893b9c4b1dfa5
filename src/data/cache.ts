/**
 * A cache of decoded samples: keeps those that were decoded once, up to a number of bytes. What is kept stays: in epochs that are shuffled
 * anew, every sample is as likely to come next as any other, and throwing one out for another wins nothing.
 */
import type { Dataset, Sample } from './sample.ts';

/** The dataset itself where samples have no places, must run in order, or may be left out. @param most bytes; 0: none */
export function cached(dataset: Dataset, most: number): Dataset {
  if (most <= 0 || dataset.count === undefined || dataset.carry || dataset.skipped) return dataset;
  const kept = new Map<number, Sample>();
  let bytes = 0;
  const keep = (position: number, sample: Sample): void => {
    const size = sizeOf(sample);
    if (kept.has(position) || bytes + size > most) return;
    kept.set(position, copyOf(sample));
    bytes += size;
  };
  return {
    ...dataset,
    idsHash: (selection) => dataset.idsHash(selection),
    async *samples(selection, onBad) {
      if ('from' in selection || onBad) {
        yield* dataset.samples(selection, onBad);
        return;
      }
      for (let at = 0; at < selection.length;) {
        const known = kept.get(selection[at]!);
        if (known) {
          at++;
          // Whoever gets it may change it.
          yield copyOf(known);
          continue;
        }
        let end = at + 1;
        while (end < selection.length && !kept.has(selection[end]!)) end++;
        for await (const sample of dataset.samples(selection.slice(at, end))) {
          keep(selection[at++]!, sample);
          yield sample;
        }
      }
    },
  };
}

function sizeOf({ inputs }: Sample): number {
  let bytes = 0;
  for (const { data } of Object.values(inputs)) {
    // Text counts as two bytes per character.
    if (Array.isArray(data)) for (const each of data) bytes += 2 * String(each).length;
    else bytes += (data as { readonly byteLength: number }).byteLength;
  }
  return bytes;
}

function copyOf(sample: Sample): Sample {
  const inputs = Object.entries(sample.inputs).map(([name, value]) => [name, { ...value, data: value.data.slice() }]);
  return { ...sample, inputs: Object.fromEntries(inputs) as Sample['inputs'] };
}
