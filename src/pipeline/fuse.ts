/** Model → fused model, with the proof that both compute the same: they are run side by side before anything is written. */
import { openSession } from '../backends/session.ts';
import { feedsOfOne } from '../data/batch.ts';
import type { Dataset } from '../data/sample.ts';
import { choose } from '../data/select.ts';
import { pipelineErrors } from '../errors/pipeline.ts';
import type { Model } from '../graph/model.ts';
import { modelToProto } from '../graph/to-proto.ts';
import type { Value } from '../graph/value.ts';
import { openModel } from '../compare/model-facts.ts';
import { toNumbers, isComparable } from '../compare/numbers.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import { saveModel } from '../onnx/model-file.ts';
import { textsOf } from '../onnx/texts.ts';
import { limitsOf } from '../ops/limits.ts';
import type { FuseOptions, FuseResult } from '../pipeline-types.ts';
import { customOperators } from './custom.ts';
import { generateInputs, type Generated } from './generated.ts';
import { checkPlaces } from './places.ts';
import { cautions, openFlags } from './samples.ts';
import { newestOpset } from '../opset/versions.ts';
import { countOps, inputsOf, openFused, sourceNotes } from './source.ts';
import { opsetsFor } from './upgrade.ts';

/** Samples for the proof when the user gives no number. */
const usualSamples = 8;
/**
 * Folding rounds each weight once (2^-24 relative) and reorders sums; over a deep net the differences grow by a few orders.
 * 1e-4 of the output's range is what float32 networks of a hundred layers stay within, and far below any quantization step.
 */
const singleBound = 1e-4;
/** float16 keeps 11 bits: a rounding in another place, and again in every layer, is a few thousandths of the range. */
const halfBound = 2e-2;

export async function fuseModel(options: FuseOptions): Promise<FuseResult> {
  checkPlaces(options);
  const { file, model, log, upgrade, batch, nodesBefore, opsBefore } = await openFused(options.model, options, {
    ...opsetsFor(options.opset, 0, newestOpset),
    skip: options.skip,
    keepTypes: true,
    keepTied: true,
  });
  const count = options.samples ?? usualSamples;
  const custom = customOperators(model);
  const { dataset, notes } =
    custom === undefined
      ? await proofInputs({ ...options, samples: count }, model)
      : { dataset: undefined, notes: [`EQUALITY WAS NOT PROVEN: nothing here runs ${custom}`] };
  const warnings = [...sourceNotes({ upgrade, widened: undefined, batch }), ...notes];
  for (const warning of warnings) options.onWarning?.(warning);
  const halves = [...model.graph.graphs()].some(({ values }) =>
    [...values.values()].some(({ type }) => type === 'float16'),
  );
  const bound = halves ? halfBound : singleBound;
  const proof = dataset && (await prove(options, file.path, model, dataset, count, bound));
  const after = countOps(model);
  const saved = saveModel(modelToProto(model), options.output, {
    externalData: options.externalData,
    sourceDir: file.dir,
    inputs: [file.path],
  });
  return {
    outputPath: saved.path,
    applied: log.applied,
    refused: log.refused,
    nodesBefore,
    nodesAfter: Object.values(after).reduce((sum, n) => sum + n, 0),
    opsBefore,
    opsAfter: after,
    samples: proof?.samples ?? 0,
    synthetic: dataset?.synthetic ?? true,
    ...(proof ? { worstDifference: proof.worst } : {}),
    bound,
    warnings,
  };
}

async function proofInputs(options: FuseOptions, model: Model): Promise<Generated> {
  const inputs = inputsOf(model);
  if (options.data === undefined && options.reader === undefined) return generateInputs(options.model, inputs, options);
  const dataset = await openFlags(options, inputs);
  return { dataset, notes: dataset.synthetic ? [] : cautions(dataset) };
}

/** The largest magnitude an output can have where its operator knows it (Sigmoid, Softmax, Tanh: 1), or 0. */
function naturalRange({ producer }: Value): number {
  const interval = producer && limitsOf(producer);
  return interval ? Math.max(-interval.min, interval.max) : 0;
}

/** @throws FUSE_NOT_EQUAL at the first text that differs */
function checkTexts(model: string, output: string, sample: string, a: TensorValue, b: TensorValue): void {
  const at = a.data.findIndex((element: number | bigint, i: number) => element !== b.data[i]);
  if (at < 0) return;
  const [before, after] = textsOf([a.data[at]!, b.data[at]!]) as [string, string];
  throw pipelineErrors.textsNotEqual(model, output, before, after, sample);
}

/** Runs both models on every sample. Throws when an output differs by more than the bound. */
async function prove(
  options: FuseOptions,
  path: string,
  fused: Model,
  dataset: Dataset,
  count: number,
  bound: number,
): Promise<{ worst: number; samples: number }> {
  const { chosen } = choose(dataset.count, count, options.seed);
  const before = await openSession(openModel(path).source, { threads: options.threads }, `'${path}'`);
  const after = await openSession(fused, { threads: options.threads }, `the fused form of '${path}'`);
  const inputs = inputsOf(fused);
  let samples = 0;
  const difference = new Map<string, number>();
  // What is as small as rounding in a Sigmoid, because the inputs were far from what it knows, is no difference of the models.
  const range = new Map(fused.graph.outputs.map((output) => [output.name, naturalRange(output)]));
  try {
    for await (const sample of dataset.samples(chosen)) {
      const feeds = feedsOfOne(sample, inputs, dataset);
      const [a, b] = [await before.run(feeds), await after.run(feeds)];
      for (const [name, value] of Object.entries(a)) {
        if (value.type === 'string') checkTexts(`'${path}'`, name, sample.id, value, b[name]!);
        if (!isComparable(value.type)) continue;
        const [x, y] = [toNumbers(value), toNumbers(b[name]!)];
        let most = difference.get(name) ?? 0;
        let top = range.get(name) ?? 0;
        for (let i = 0; i < x.length; i++) {
          const distance = Math.abs(Number(x[i]) - Number(y[i]));
          if (distance > most) most = distance;
          const magnitude = Math.abs(Number(x[i]));
          if (magnitude > top) top = magnitude;
        }
        difference.set(name, most);
        range.set(name, top);
      }
      samples++;
      options.onProgress?.({ stage: 'proving equality', done: samples, unit: 'samples' });
    }
  } finally {
    await before.dispose();
    await after.dispose();
  }
  let worst = 0;
  for (const [name, most] of difference) {
    const relative = most / Math.max(range.get(name)!, Number.MIN_VALUE);
    if (most > 0 && relative > bound) throw pipelineErrors.notEqual(`'${path}'`, name, relative, bound);
    if (most > 0) worst = Math.max(worst, relative);
  }
  return { worst, samples };
}
