/** Every loss, and the words of `--loss`. To add one: write its file and list it here. */
import { finetuneErrors } from '../../errors/finetune.ts';
import { ce } from './ce.ts';
import { features } from './features.ts';
import { kl } from './kl.ts';
import type { Loss, LossTerm } from './loss.ts';
import { mse } from './mse.ts';

export const losses: readonly Loss[] = [ce, kl, mse, features];

/** @throws QAT_LOSS_NAME with the nearest one */
export function lossOf(id: string): Loss {
  const loss = losses.find((each) => each.id === id);
  if (!loss)
    throw finetuneErrors.unknownLoss(
      id,
      losses.map((each) => each.id),
    );
  return loss;
}

/**
 * "kl", or a mix such as "kl=1,ce=0.5".
 * @throws QAT_LOSS_NAME, QAT_LOSS_SYNTAX
 */
export function parseLoss(text: string, temperature: number): LossTerm[] {
  const terms = text.split(',').map((word): LossTerm => {
    const [, id, weight] = /^\s*([\w-]+)\s*(?:=\s*(\d+(?:\.\d+)?|\.\d+))?\s*$/.exec(word) ?? [];
    if (id === undefined || (weight !== undefined && Number(weight) === 0)) throw finetuneErrors.lossSyntax(text);
    return { loss: lossOf(id).id, weight: weight === undefined ? 1 : Number(weight), temperature };
  });
  const twice = terms.find(({ loss }, i) => terms.findIndex((other) => other.loss === loss) !== i);
  if (twice) throw finetuneErrors.lossSyntax(text);
  return terms;
}
