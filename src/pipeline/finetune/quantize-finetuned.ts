/** `quantize --finetune`: prepare → fine-tune → convert → compare. The stages are those of the commands; what lies between is not kept. */
import { chosenTarget, judgedExactly } from '../scheme.ts';
import { join } from 'node:path';
import { checkTemporary } from '../../backends/session-files.ts';
import { parseGate } from '../../compare/gates.ts';
import { finetuneErrors } from '../../errors/finetune.ts';
import { pipelineErrors } from '../../errors/pipeline.ts';
import type { QuantizeFinetunedResult } from '../results.ts';
import type { QuantizeFinetunedOptions } from '../../settings/options.ts';
import { convertModel } from '../convert/convert.ts';
import { judging, reportTrained, withScratch } from './report.ts';
import { runFinetune } from './finetune.ts';
import { evaluatorsOf } from '../compare/report.ts';
import { checkPlaces } from '../places.ts';
import { prepareModel } from '../prepare/prepare.ts';

/** @throws what `prepareModel`, `finetuneModel` and `convertModel` throw; the output exists only when all of them are done */
export async function quantizeFinetuned(options: QuantizeFinetunedOptions): Promise<QuantizeFinetunedResult> {
  const { model, output } = options;
  options.gates.map(parseGate);
  checkPlaces(options);
  if (options.report !== false) checkTemporary();
  await evaluatorsOf(options);
  if (options.report === false && options.gates.length > 0) throw pipelineErrors.gatesWithoutReport(options.gates[0]!);
  if (options.data === undefined && options.reader === undefined) throw finetuneErrors.noData();
  return withScratch(output, async (folder) => {
    const [prepared, tuned] = [join(folder, 'prepared.onnx'), join(folder, 'tuned.onnx')];
    const between = { externalData: 'auto' } as const;
    // --samples and --batch speak of training: ranges are found on as many samples as usual.
    const { samples: _samples, batch: _batch, ...calibrating } = options;
    const { plan, ...widths } = await prepareModel({ ...calibrating, ...between, model, output: prepared });
    const {
      result: training,
      evaluation,
      trained,
    } = await runFinetune({ ...options, ...between, model: prepared, output: tuned });
    const converted = await convertModel({ ...options, model: tuned, output, storage: 'int8' });
    const judges = judging(evaluation, trained);
    for (const warning of judges.warnings) options.onWarning?.(warning);
    const warnings = [
      ...new Set([...widths.warnings, ...training.warnings, ...converted.warnings, ...judges.warnings]),
    ];
    const result = {
      outputPath: converted.outputPath,
      plan,
      training: { ...training, outputPath: converted.outputPath, warnings: [] },
      warnings,
    };
    if (options.report === false) return result;
    const target = chosenTarget(options.target);
    const { weightBits, activationBits, firstLastBits } = widths;
    const { report, files } = await reportTrained(
      {
        floatPath: model,
        quantPath: converted.outputPath,
        result: { ...training, warnings },
        evaluation: judges.samples,
        layers: options.layers,
        more: {
          recipe: {
            format: 'qdq',
            finetune: true,
            target: target.name,
            ...{ weightBits, activationBits, firstLastBits },
            loss: training.loss,
            steps: training.steps,
            include: [...options.include],
            exclude: [...options.exclude],
          },
          leftFloat: plan.leftFloat,
          exactInt8: judgedExactly(target),
        },
      },
      options,
    );
    return { ...result, report, ...(files.length > 0 && { reportPath: files[0]!, reportFiles: files }) };
  });
}
