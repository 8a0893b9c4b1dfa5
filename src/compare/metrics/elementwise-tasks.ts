/**
 * Tasks whose agreement with the float model is read off position by position: segmentation (the class of each pixel), sequences (the
 * token at each position) and regression (predicted numbers).
 */
import { SampleMean } from '../statistics.ts';
import type { TaskEvaluator, TaskScore, Task, PairedOutput, Numbers } from './metric.ts';
import { compareErrors } from '../../errors/compare.ts';
import { argmax } from './classification-metrics.ts';

/**
 * Segmentation agreement: the classes of all pixels in both models, as mean intersection over union of the classes that either
 * model sees. Scores are [samples, classes, ...space]; one channel is cut at `threshold`.
 */
class Segmentation implements TaskEvaluator {
  readonly #threshold: number;
  readonly #equal = new SampleMean();
  #output: string | undefined;
  #both = new Float64Array();
  #either = new Float64Array();

  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  add(outputs: ReadonlyMap<string, PairedOutput>): void {
    this.#output ??= [...outputs].find(([, { dims }]) => dims.length >= 4)?.[0];
    if (this.#output === undefined) {
      const shown = [...outputs].map(([name, { dims }]) => `'${name}' [${dims.join(', ')}]`);
      throw compareErrors.taskOutputs('segmentation', 'it needs scores [samples, classes, height, width]', shown);
    }
    const { dims, float, quant, ids } = outputs.get(this.#output)!;
    const channels = dims[1]!;
    const classes = Math.max(2, channels);
    if (this.#both.length === 0) [this.#both, this.#either] = [new Float64Array(classes), new Float64Array(classes)];
    const pixels = float.length / ids.length / channels;
    for (let sample = 0; sample < ids.length; sample++) {
      let equal = 0;
      for (let pixel = 0; pixel < pixels; pixel++) {
        const at = sample * channels * pixels + pixel;
        const a = this.#classOf(float, at, channels, pixels);
        const b = this.#classOf(quant, at, channels, pixels);
        this.#either[a]!++;
        if (a === b) {
          equal++;
          this.#both[a]!++;
        } else this.#either[b]!++;
      }
      this.#equal.add(equal / pixels);
    }
  }

  #classOf(values: Numbers, at: number, channels: number, stride: number): number {
    if (channels === 1) return values[at]! > this.#threshold ? 1 : 0;
    let best = 0;
    for (let c = 1; c < channels; c++) if (values[at + c * stride]! > values[at + best * stride]!) best = c;
    return best;
  }

  scores(): TaskScore[] {
    if (this.#output === undefined) return [];
    const seen = [...this.#either]
      .map((union, c) => ({ union, both: this.#both[c]! }))
      .filter(({ union }) => union > 0);
    const miou = seen.reduce((sum, { union, both }) => sum + both / union, 0) / seen.length;
    const interval = this.#equal.interval();
    const common = { output: this.#output, unit: 'fraction', better: 'higher', n: this.#equal.n, float: 1 } as const;
    return [
      { ...common, metric: 'segmentation.miou', quant: miou, detail: { classesSeen: seen.length } },
      {
        ...{ ...common, metric: 'segmentation.pixels', quant: this.#equal.mean },
        ...(interval && { ci95: [interval[0] - 1, Math.min(1, interval[1]) - 1] as const }),
      },
    ];
  }
}

/** `--task segmentation` */
export const segmentation: Task = {
  id: 'segmentation',
  summary: 'classes of all pixels',
  settings: { threshold: '0.5' },
  metrics: [
    { id: 'segmentation.miou', unit: 'fraction', better: 'higher' },
    { id: 'segmentation.pixels', unit: 'fraction', better: 'higher' },
  ],
  create: ({ threshold }) => new Segmentation(Number(threshold)),
};

/**
 * Sequence probability error for scores [samples, positions, vocabulary]: how much the probability of the sequence that the float
 * model prefers changes, as the mean absolute difference of its log probability per position, and how many positions keep
 * their most likely token.
 */
class Sequence implements TaskEvaluator {
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

  scores(): TaskScore[] {
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

/** `--task sequence` */
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

/** Regression error: how far the numbers that a model predicts move, per output: root mean square and mean absolute difference. */
class Regression implements TaskEvaluator {
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

  scores(): TaskScore[] {
    return [...this.#outputs].flatMap(([output, { absolute, squared }]): TaskScore[] => {
      const common = { output, unit: 'units of the output', better: 'lower', n: absolute.n, float: 0 } as const;
      const interval = absolute.interval();
      return [
        { ...common, metric: 'regression.rmse', quant: Math.sqrt(squared.mean) },
        { ...common, metric: 'regression.mae', quant: absolute.mean, ...(interval && { ci95: interval }) },
      ];
    });
  }
}

/** `--task regression` */
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
