/**
 * Segmentation agreement: the classes of all pixels in both models, as mean intersection over union of the classes that either
 * model sees. Scores are [samples, classes, ...space]; one channel is cut at `threshold`.
 */
import { compareErrors } from '../../errors/compare.ts';
import { SampleMean, type Judge, type Judgement, type Task } from './judge.ts';
import type { Numbers, PairedOutput } from './metric.ts';

class Segmentation implements Judge {
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

  judgements(): Judgement[] {
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
