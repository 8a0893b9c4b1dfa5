/**
 * Float model + quantized model + samples → report. The samples are preprocessed for the float model and read by both.
 */
import { checkTemporary } from '../../backends/session-files.ts';
import { compareModels } from '../../compare/compare.ts';
import { openModel } from '../../compare/models.ts';
import type { InputInfo } from '../../data/sample.ts';
import { modelFromProto } from '../../graph/from-proto.ts';
import { loadModel } from '../../onnx/model-file.ts';
import type { CompareOptions } from '../../settings/options.ts';
import type { CompareResult } from '../results.ts';
import { openBaseline, recordBaseline, writeReportFiles } from './report-files.ts';
import { evaluatorsOf, layersOf, samplesProgress } from './report.ts';
import { checkPlaces } from '../places.ts';
import { judgingSamples } from '../samples/generated.ts';
import { cautions, draw, openFlags, type Samples } from '../samples/samples.ts';
import { inputsOf } from '../source/source.ts';

/** Every sample is used, unless `samples` says how many. */
export async function compareFiles(options: CompareOptions): Promise<CompareResult> {
  const { float, quant, batch, threads, gates, onWarning } = options;
  checkPlaces(options);
  checkTemporary();
  const baseline = openBaseline(options);
  const evaluators = await evaluatorsOf(options);
  const file = loadModel(float);
  const inputs = inputsOf(modelFromProto(file.proto, file.dir));
  file.close();
  const { dataset, selection, warnings } = await samplesOf(options, inputs);
  for (const warning of warnings) onWarning?.(warning);
  const report = await compareModels({
    floatPath: float,
    quantPath: quant,
    dataset,
    selection,
    batchSize: batch,
    threads,
    gates,
    evaluators,
    baseline,
    command: options.command ?? 'compareModels',
    warnings,
    profile: options.profile ?? false,
    layers: await layersOf(float, openModel(quant).model, quant, options.layers, options),
    onProgress: samplesProgress(options, 'comparing'),
    onLayers: samplesProgress(options, 'comparing layers'),
  });
  recordBaseline(report, options);
  const files = writeReportFiles(report, options);
  return files.length === 0 ? { report } : { report, reportPath: files[0]!, reportFiles: files };
}

/** Without any, generated ones of a size that the float model runs with. */
async function samplesOf(
  options: CompareOptions,
  inputs: readonly InputInfo[],
): Promise<Samples & { readonly warnings: string[] }> {
  const { float, data, reader, samples, seed } = options;
  if (data === undefined && reader === undefined) {
    const { evaluation, warnings } = await judgingSamples(options, float, inputs);
    return { ...evaluation, warnings: [...warnings] };
  }
  const dataset = await openFlags(options, inputs);
  const warnings = cautions(dataset);
  if (samples === undefined) return { dataset, selection: { from: 0 }, warnings };
  const { chosen, note } = draw(dataset, samples, seed);
  return { dataset, selection: chosen, warnings: note === undefined ? warnings : [...warnings, note] };
}
