/** What is seen of a training while it goes on: how the model does on held-out samples, on the workers of training, and the log. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { finetuneErrors } from '../../errors/finetune.ts';
import type { Session } from '../../backends/session.ts';
import { evaluate, type Evaluation } from '../../compare/evaluate.ts';
import type { Model } from '../../graph/model.ts';
import type { Metric } from '../../qat/trainer.ts';
import type { TrainingData } from './data.ts';
import type { Engines } from './engines.ts';
import { inputsOf } from '../source/source.ts';

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

/** One JSON object per line, written as it happens. A run that goes on cuts off what it does again. */
interface TrainingLog {
  write(line: Readonly<Record<string, unknown>>): void;
}

/** @param after lines of later steps are dropped; at 0 the file begins anew. @throws QAT_LOG when it cannot be written */
export function trainingLog(path: string, after: number): TrainingLog {
  const attempt = (action: () => void): void => {
    try {
      action();
    } catch (cause) {
      throw finetuneErrors.log(path, cause);
    }
  };
  attempt(() => writeFileSync(path, after === 0 ? '' : upTo(path, after)));
  return { write: (line) => attempt(() => appendFileSync(path, `${JSON.stringify(line)}\n`)) };
}

function upTo(path: string, step: number): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return '';
  }
  const kept = text.split('\n').filter((line) => {
    try {
      return (JSON.parse(line) as { step: number }).step <= step;
    } catch {
      return false;
    }
  });
  return kept.map((line) => `${line}\n`).join('');
}
