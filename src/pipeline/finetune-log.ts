/** The log of a training: one JSON object per line, written as it happens. A run that goes on cuts off what it does again. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { finetuneErrors } from '../errors/finetune.ts';

export interface TrainingLog {
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
