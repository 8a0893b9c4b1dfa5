/** Model → fused model, with the proof that both compute the same: they are run side by side before anything is written. */
import type { Model } from '../../graph/model.ts';
import { modelToProto } from '../../graph/to-proto.ts';
import { saveModel } from '../../onnx/model-file.ts';
import type { FuseOptions } from '../../settings/options.ts';
import type { FuseResult } from '../results.ts';
import { customOperators } from '../source/runnable.ts';
import { generateInputs, type Generated } from '../samples/generated.ts';
import { checkPlaces } from '../places.ts';
import { proveFused } from './equality.ts';
import { cautions, openFlags } from '../samples/samples.ts';
import { newestOpset } from '../../opset/versions.ts';
import { countOps, inputsOf, openFused, sourceNotes } from '../source/source.ts';
import { opsetsFor } from '../source/upgrade.ts';

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
  const proof = dataset && (await proveFused(options, file.path, model, { dataset, count, bound }));
  if (proof?.note !== undefined) {
    warnings.push(proof.note);
    options.onWarning?.(proof.note);
  }
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
