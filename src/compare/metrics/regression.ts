/** Regression error: how far the numbers that a model predicts move, per output: root mean square and mean absolute difference. */
import { SampleMean, type Judge, type Judgement, type Task } from './judge.ts';
import type { PairedOutput } from './metric.ts';

class Regression implements Judge {
  readonly #outputs = new Map<string, { readonly absolute: SampleMean; readonly squared: SampleMean }>();

  add(outputs: ReadonlyMap<string, PairedOutput>): void {
    for (const [name, { ids, float, quant }] of outputs) {
      const found = this.#outputs.get(name) ?? { absolute: new SampleMean(), squared: new SampleMean() };
      this.#outputs.set(name, found);
      const each = float.length / ids.length;
      for (let start = 0; start < float.length; start += each) {
        let [absolute, squared] = [0, 0];
        for (let i = start; i < start + each; i++) {
          const error = float[i]! - quant[i]!;
          absolute += Math.abs(error);
          squared += error * error;
        }
        found.absolute.add(absolute / each);
        found.squared.add(squared / each);
      }
    }
  }

  judgements(): Judgement[] {
    return [...this.#outputs].flatMap(([output, { absolute, squared }]): Judgement[] => {
      const common = { output, unit: 'units of the output', better: 'lower', n: absolute.n, float: 0 } as const;
      const interval = absolute.interval();
      return [
        { ...common, metric: 'regression.rmse', quant: Math.sqrt(squared.mean) },
        { ...common, metric: 'regression.mae', quant: absolute.mean, ...(interval && { ci95: interval }) },
      ];
    });
  }
}

export const regression: Task = {
  id: 'regression',
  summary: 'differences of predicted numbers',
  settings: {},
  metrics: [
    { id: 'regression.rmse', unit: 'units of the output', better: 'lower' },
    { id: 'regression.mae', unit: 'units of the output', better: 'lower' },
  ],
  create: () => new Regression(),
};
