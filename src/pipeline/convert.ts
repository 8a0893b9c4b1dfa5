/** Fake-quantized model → int8 model. No samples are needed: every range is in the model. */
import { modelToProto } from '../graph/to-proto.ts';
import { openSession } from '../backends/session.ts';
import { finetuneErrors } from '../errors/finetune.ts';
import { saveModel } from '../onnx/model-file.ts';
import type { ConvertOptions, ConvertResult } from '../pipeline-types.ts';
import { lowerFakeQuant } from '../qat/lower.ts';
import { dropNorms } from '../qat/norm-record.ts';
import { badScales, describeBadScale } from '../quantized/scales.ts';
import { leastInt4Opset, storeFourBits } from '../qat/storage.ts';
import { repairWarnings } from './notes.ts';
import { openFused, sourceNotes } from './source.ts';
import { restamp } from './stamp.ts';

/**
 * @throws QAT_NOT_PREPARED when the model holds no fake quantizer; QAT_STORAGE when no weight fits four bits; the errors of model files. The output exists only when
 * onnxruntime has loaded it.
 */
export async function convertModel(options: ConvertOptions): Promise<ConvertResult> {
  const { file, model, upgrade, widened } = await openFused(
    options.model,
    options,
    options.storage === 'int4' ? { opset: leastInt4Opset } : {},
  );
  const quantizers = [...model.allNodes()].filter((node) => node.is('QuantizeLinear', 'DequantizeLinear'));
  if (quantizers.length === 0) throw finetuneErrors.notPrepared(options.model);
  const [bad] = badScales(model);
  if (bad) throw finetuneErrors.badScale(options.model, bad.node.label, describeBadScale(bad));
  const lowered = lowerFakeQuant(model);
  dropNorms(lowered.model);
  const { stored, wider } = options.storage === 'int4' ? storeFourBits(lowered.model) : { stored: 0, wider: [] };
  if (options.storage === 'int4' && stored === 0) throw finetuneErrors.nothingNarrow(options.model, wider);
  restamp(lowered.model);
  const warnings = [...sourceNotes({ upgrade, widened }), ...repairWarnings(lowered.repaired)];
  for (const warning of warnings) options.onWarning?.(warning);
  const label = `the int8 form of '${options.model}'`;
  const session = await openSession(lowered.model, { threads: options.threads }, label);
  await session.dispose();
  const saved = saveModel(modelToProto(lowered.model), options.output, {
    externalData: options.externalData,
    sourceDir: file.dir,
    inputs: [file.path],
  });
  const { weights, biases, absorbed } = lowered;
  return { outputPath: saved.path, weights, biases, absorbed, fourBits: stored, warnings };
}
