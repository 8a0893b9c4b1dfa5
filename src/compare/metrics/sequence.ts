/**
 * Sequence probability error for scores [samples, positions, vocabulary]: how much the probability of the sequence that the float
 * model prefers changes, as the mean absolute difference of its log probability per position, and how many positions keep
 * their most likely token.
 */
import { compareErrors } from '../../errors/compare.ts';
import { SampleMean, type Judge, type Judgement, type Task } from './judge.ts';
import type { Numbers, PairedOutput } from './metric.ts';
import { argmax } from './rank.ts';

class Sequence implements Judge {
  readonly #error = new SampleMean();
  readonly #equal = new SampleMean();
  #output: string | undefined;

  add(outputs: ReadonlyMap<string, PairedOutput>): void {
    this.#output ??= [...outputs].find(([, { dims }]) => dims.length === 3 && dims[2]! > 1)?.[0];
    if (this.#output === undefined) {
      const shown = [...outputs].map(([name, { dims }]) => `'${name}' [${dims.join(', ')}]`);
      throw compareErrors.taskOutputs('sequence', 'it needs scores [samples, positions, vocabulary]', shown);
    }
    const { dims, ids, float, quant } = outputs.get(this.#output)!;
    const width = dims[2]!;
    const each = float.length / ids.length;
    for (let start = 0; start < float.length; start += each) {
      let [float0, quant0, equal] = [0, 0, 0];
      for (let at = start; at < start + each; at += width) {
        const token = argmax(float, at, width);
        float0 += logProbability(float, at, width, token);
        quant0 += logProbability(quant, at, width, token);
        if (argmax(quant, at, width) === token) equal++;
      }
      const positions = each / width;
      this.#error.add(Math.abs(float0 - quant0) / positions);
      this.#equal.add(equal / positions);
    }
  }

  judgements(): Judgement[] {
    if (this.#output === undefined) return [];
    const [error, equal] = [this.#error.interval(), this.#equal.interval()];
    const common = { output: this.#output, n: this.#error.n } as const;
    return [
      {
        ...{ ...common, metric: 'sequence.logprob', unit: 'nats', better: 'lower', float: 0, quant: this.#error.mean },
        ...(error && { ci95: error }),
      },
      {
        ...{
          ...common,
          metric: 'sequence.tokens',
          unit: 'fraction',
          better: 'higher',
          float: 1,
          quant: this.#equal.mean,
        },
        ...(equal && { ci95: [equal[0] - 1, Math.min(1, equal[1]) - 1] as const }),
      },
    ];
  }
}

function logProbability(values: Numbers, start: number, width: number, token: number): number {
  const most = values[start + argmax(values, start, width)]!;
  let sum = 0;
  for (let i = start; i < start + width; i++) sum += Math.exp(values[i]! - most);
  return values[start + token]! - most - Math.log(sum);
}

export const sequence: Task = {
  id: 'sequence',
  summary: 'probability of the sequence that the float model prefers',
  settings: {},
  metrics: [
    { id: 'sequence.logprob', unit: 'nats', better: 'lower' },
    { id: 'sequence.tokens', unit: 'fraction', better: 'higher' },
  ],
  create: () => new Sequence(),
};
