/** Every optimizer. To add one: write its file and list it here. */
import { finetuneErrors } from '../../errors/finetune.ts';
import { adam, adamw } from './adam.ts';
import type { Optimizer } from './optimizer.ts';
import { sgd } from './sgd.ts';

export const optimizers: readonly Optimizer[] = [sgd, adam, adamw];

/** @throws QAT_OPTIMIZER with the nearest one */
export function optimizerOf(id: string): Optimizer {
  const found = optimizers.find((each) => each.id === id);
  if (!found)
    throw finetuneErrors.unknownOptimizer(
      id,
      optimizers.map((each) => each.id),
    );
  return found;
}
