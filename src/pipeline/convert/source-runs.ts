/** What the source of a conversion means: a few runs of it in float, its quantizers as they are written, none of them fused. */
import { openSession } from '../../backends/session.ts';
import { openModel } from '../../compare/models.ts';
import { feedsOfOne } from '../../data/batch.ts';
import type { Model } from '../../graph/model.ts';
import type { TensorValue } from '../../onnx/data-types.ts';
import { showQuantized } from '../../qat/cut.ts';
import type { ConvertOptions } from '../../settings/options.ts';
import type { Results } from './deviations.ts';
import { generateInputs } from '../samples/generated.ts';
import { choose } from '../../data/selection.ts';
import { cautions, openFlags, type Samples } from '../samples/samples.ts';
import { inputsOf } from '../source/source.ts';

/** A run looks at every element of every tensor, so that a few say what there is to say. */
const mostSamples = 8;
const usualGenerated = 2;

export interface SourceRun {
  readonly feeds: Results;
  readonly outputs: Results;
  /** What the codes of activations stand for, at every place where the model can be cut, by the name of the codes. */
  readonly quantized: ReadonlyMap<string, TensorValue>;
}

export interface SourceRuns {
  readonly model: Model;
  /** Empty when the model runs on nothing that can be generated. */
  readonly runs: readonly SourceRun[];
  readonly samples: Samples | undefined;
  readonly notes: readonly string[];
}

/**
 * @param stands for the file, where that computes in narrower float types than the result
 * @throws BACKEND_LOAD, BACKEND_RUN when the source itself does not run
 */
export async function runSource(options: ConvertOptions, stands?: Model): Promise<SourceRuns> {
  const model = stands ?? openModel(options.model).model;
  const given = options.data !== undefined || options.reader !== undefined;
  const inputs = inputsOf(model);
  const settings = { level: 'disabled', simulate: true } as const;
  const generated = given
    ? undefined
    : await generateInputs(options.model, inputs, { ...options, samples: usualGenerated }, settings);
  const dataset = given ? await openFlags(options, inputs) : generated?.dataset;
  if (!dataset) return { model, runs: [], samples: undefined, notes: generated!.notes };
  const { model: open, shown } = showQuantized(model);
  const session = await openSession(open, { threads: options.threads, ...settings }, `'${options.model}'`);
  const runs: SourceRun[] = [];
  const wanted = Math.min(options.samples ?? mostSamples, given ? mostSamples : usualGenerated);
  const { chosen } = choose(dataset.count, wanted, options.seed);
  try {
    for await (const sample of dataset.samples(chosen)) {
      const feeds = feedsOfOne(sample, inputs, dataset);
      const results = await session.run(feeds);
      const quantized = new Map([...shown].map(([codes, name]) => [codes, results[name]!]));
      const outputs = Object.fromEntries(model.graph.outputs.map(({ name }) => [name, results[name]!]));
      runs.push({ feeds, outputs, quantized });
      options.onProgress?.({ stage: 'running the source', done: runs.length, unit: 'samples' });
    }
  } finally {
    await session.dispose();
  }
  const notes = generated?.notes ?? (dataset.synthetic ? [] : cautions(dataset));
  return { model, runs, samples: { dataset, selection: chosen }, notes };
}
