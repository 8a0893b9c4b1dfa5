/** Fake-quantized model → int8 model. Every range is in the model; samples only prove the result. */
import { modelToProto } from '../../graph/to-proto.ts';
import type { Model } from '../../graph/model.ts';
import type { Value } from '../../graph/value.ts';
import { finetuneErrors } from '../../errors/finetune.ts';
import { saveModel } from '../../onnx/model-file.ts';
import type { ConvertOptions } from '../../settings/options.ts';
import type { ConvertResult } from '../results.ts';
import { dropNorms } from '../../qat/norm-record.ts';
import { badScales, describeBadScale } from '../../quantized/quant-params.ts';
import { leastInt4Opset, storeFourBits } from '../../qat/storage.ts';
import { deliver } from '../deliver.ts';
import { lowerProven } from './lower.ts';
import { repairWarnings } from '../warnings.ts';
import { checkPlaces } from '../places.ts';
import { openFused, sourceNotes } from '../source/source.ts';
import { restamp } from '../stamp.ts';

/**
 * @throws QAT_NOT_PREPARED when the model holds no quantizers; QAT_SCALE for a scale that is none; QAT_STORAGE when no weight fits four
 * bits; QAT_NOT_EQUAL when onnxruntime computes no form of it as the source means it; the errors of model files. The output exists only
 * when onnxruntime has run it.
 */
export async function convertModel(options: ConvertOptions): Promise<ConvertResult> {
  checkPlaces(options);
  const { file, model, upgrade, widened, batch } = await openFused(
    options.model,
    options,
    options.storage === 'int4' ? { opset: leastInt4Opset } : {},
  );
  const quantizers = [...model.allNodes()].filter((node) => node.is('QuantizeLinear', 'DequantizeLinear'));
  if (quantizers.length === 0) throw finetuneErrors.notPrepared(options.model);
  const [bad] = badScales(model);
  if (bad) throw finetuneErrors.badScale(options.model, bad.node.label, describeBadScale(bad));
  const wanted = options.storage === 'int4';
  const { lowered, notes, runs, samples, worstDifference } = await lowerProven(
    { model, widened: widened !== undefined },
    options,
    (result) => {
      dropNorms(result.model);
      const { stored, wider } = wanted ? storeFourBits(result.model) : { stored: 0, wider: [] };
      if (wanted && stored === 0 && fourBits(result.model) === 0)
        throw finetuneErrors.nothingNarrow(options.model, wider);
      restamp(result.model);
    },
  );
  const warnings = [...sourceNotes({ upgrade, widened, batch }), ...repairWarnings(lowered.repaired), ...notes];
  for (const warning of warnings) options.onWarning?.(warning);
  const saved = samples
    ? await deliver(lowered.model, file, options, samples)
    : saveModel(modelToProto(lowered.model), options.output, {
        externalData: options.externalData,
        sourceDir: file.dir,
        inputs: [file.path],
      });
  const { weights, biases, absorbed } = lowered;
  return {
    outputPath: saved.path,
    ...{ weights, biases, absorbed },
    fourBits: fourBits(lowered.model),
    samples: runs,
    ...(worstDifference === undefined ? {} : { worstDifference }),
    warnings,
  };
}

/** Number of constants in four bits that stand for others: zero points do not count. */
function fourBits(model: Model): number {
  const read = new Set<Value>();
  for (const node of model.allNodes()) {
    const codes = node.is('DequantizeLinear', 'Cast') ? node.input(0) : undefined;
    if (codes?.constant?.type.bits === 4) read.add(codes);
  }
  return read.size;
}
