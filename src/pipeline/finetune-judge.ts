/** What the samples that judge say of the model while it is trained: it runs against the teacher on the workers of training. */
import type { Session } from '../backends/session.ts';
import { evaluate, type Evaluation } from '../compare/evaluate.ts';
import type { Model } from '../graph/model.ts';
import type { Metric } from '../qat/trainer.ts';
import type { TrainingData } from './finetune-data.ts';
import type { Engines } from './finetune-workers.ts';
import { inputsOf } from './source.ts';

/** The model as it stands against the float one, on the samples that judge. */
export async function measure(
  engines: Engines,
  model: Model,
  parameters: Float32Array,
  samples: NonNullable<TrainingData['evaluation']>,
  batchSize: number,
): Promise<Metric> {
  const info = {
    inputs: inputsOf(model),
    outputs: model.graph.outputs.map(({ name, type = 'float32', dims = [] }) => ({ name, type, dims })),
    dispose: async () => {},
  };
  const float: Session = { ...info, run: (feeds, fetch) => engines.teach(feeds, fetch) };
  const quant: Session = { ...info, run: (feeds, fetch) => engines.forward(parameters, feeds, fetch) };
  return metricOf(
    await evaluate({
      float: { name: 'the teacher', session: float },
      quant: { name: 'the fake-quantized model', session: quant },
      ...samples,
      batchSize,
    }),
  );
}

/** What is right with labels, agreement with the teacher's classes without, and otherwise decibels over all outputs. */
function metricOf({ labelled, task, outputs }: Evaluation): Metric {
  const top1 = task.find(({ metric }) => metric === 'top1');
  if (labelled && top1) return { name: 'top1', value: top1.quant };
  const [only] = outputs;
  if (outputs.length === 1 && only!.argmaxAgreement !== null)
    return { name: 'agreement', value: only!.argmaxAgreement };
  return { name: 'sqnr', value: outputs.reduce((sum, { sqnrDb }) => sum + sqnrDb, 0) / outputs.length };
}
