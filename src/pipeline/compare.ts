/**
 * Float model + quantized model + samples → report. The samples are preprocessed for the float model and read by both.
 */
import { compareModels } from '../compare/compare.ts';
import { openModel } from '../compare/model-facts.ts';
import { writeReport } from '../compare/report-file.ts';
import { modelFromProto } from '../graph/from-proto.ts';
import { loadModel } from '../onnx/model-file.ts';
import type { CompareOptions, CompareResult } from '../pipeline-types.ts';
import { layersOf } from './layers.ts';
import { samplesProgress } from './progress.ts';
import { cautions, draw, openFlags } from './samples.ts';
import { inputsOf } from './source.ts';

/** Every sample is used, unless `samples` says how many. */
export async function compareFiles(options: CompareOptions): Promise<CompareResult> {
  const { float, quant, samples, seed, batch, threads, gates, onWarning } = options;
  const file = loadModel(float);
  const inputs = inputsOf(modelFromProto(file.proto, file.dir));
  file.close();
  const dataset = await openFlags(options, inputs);
  const warnings = cautions(dataset);
  const { chosen, note } =
    samples === undefined ? { chosen: { from: 0 }, note: undefined } : draw(dataset, samples, seed);
  if (note !== undefined) warnings.push(note);
  for (const warning of warnings) onWarning?.(warning);
  const report = await compareModels({
    floatPath: float,
    quantPath: quant,
    dataset,
    selection: chosen,
    batchSize: batch,
    threads,
    gates,
    command: options.command ?? 'compareModels',
    warnings,
    layers: await layersOf(float, openModel(quant).model, quant, options.layers, options),
    onProgress: samplesProgress(options, 'comparing'),
    onLayers: samplesProgress(options, 'comparing layers'),
  });
  if (!options.report) return { report };
  writeReport(options.report, report);
  return { report, reportPath: options.report };
}
