/**
 * Detection agreement: do both models find the same boxes? Raw boxes [samples, boxes, 4] and scores [samples, boxes, classes] go
 * through the same score limit and non-maximum suppression for both models; each box of the float model is then matched with
 * the free box of the same class that overlaps it most. The figure is F1 = 2·matched / (float boxes + int8 boxes) over all samples.
 */
import { compareErrors } from '../../errors/compare.ts';
import { SampleMean, SampleRatio } from '../statistics.ts';
import type { TaskEvaluator, TaskScore, Task, TaskSettings, Numbers, PairedOutput } from './metric.ts';

/** A box found with its class. */
export interface Box {
  /** Corners; unit as the model has it. */
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
  readonly score: number;
  readonly label: number;
}

/** Intersection over union of two boxes. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1);
  const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1);
  if (width <= 0 || height <= 0) return 0;
  const area = ({ x1, y1, x2, y2 }: Box): number => (x2 - x1) * (y2 - y1);
  return (width * height) / (area(a) + area(b) - width * height);
}

/** Non-maximum suppression: of boxes of one class that overlap by more than the limit the one with the highest score stays. */
export function suppress(boxes: readonly Box[], limit: number): Box[] {
  const kept: Box[] = [];
  for (const box of [...boxes].sort((a, b) => b.score - a.score)) {
    if (!kept.some((other) => other.label === box.label && overlap(other, box) > limit)) kept.push(box);
  }
  return kept;
}

/** Overlaps of the boxes that pair up, best scored first; each box is used once. */
export function match(float: readonly Box[], quant: readonly Box[], least: number): number[] {
  const free = new Set(quant);
  const overlaps: number[] = [];
  for (const box of float) {
    let [best, most]: [Box | undefined, number] = [undefined, least];
    for (const other of free) {
      const shared = other.label === box.label ? overlap(box, other) : 0;
      if (shared >= most) [best, most] = [other, shared];
    }
    if (!best) continue;
    free.delete(best);
    overlaps.push(most);
  }
  return overlaps;
}

class Detection implements TaskEvaluator {
  readonly #settings: TaskSettings;
  readonly #ratio = new SampleRatio();
  readonly #overlap = new SampleMean();
  #names: readonly [boxes: string, scores: string] | undefined;
  #counts = { matched: 0, floatBoxes: 0, quantBoxes: 0, samplesWithBoxes: 0 };

  constructor(settings: TaskSettings) {
    this.#settings = settings;
  }

  add(outputs: ReadonlyMap<string, PairedOutput>): void {
    this.#names ??= findOutputs(outputs, this.#settings);
    const [boxes, scores] = this.#names.map((name) => outputs.get(name)!) as [PairedOutput, PairedOutput];
    const settings = this.#settings;
    boxes.ids.forEach((_, sample) => {
      const float = boxesOf(boxes.float, scores.float, scores.dims, sample, settings);
      const quant = boxesOf(boxes.quant, scores.quant, scores.dims, sample, settings);
      const overlaps = match(float, quant, Number(settings['iou']));
      for (const each of overlaps) this.#overlap.add(each);
      this.#ratio.add(2 * overlaps.length, float.length + quant.length);
      const counts = this.#counts;
      this.#counts = {
        matched: counts.matched + overlaps.length,
        floatBoxes: counts.floatBoxes + float.length,
        quantBoxes: counts.quantBoxes + quant.length,
        samplesWithBoxes: counts.samplesWithBoxes + (float.length + quant.length > 0 ? 1 : 0),
      };
    });
  }

  scores(): TaskScore[] {
    const { floatBoxes, quantBoxes } = this.#counts;
    // Nothing found is nothing to agree on.
    if (!this.#names || floatBoxes + quantBoxes === 0) return [];
    const interval = this.#ratio.interval();
    return [
      {
        ...{ metric: 'detection.f1', output: this.#names.join(', '), unit: 'fraction', better: 'higher' },
        ...{ n: this.#ratio.n, float: 1, quant: this.#ratio.value },
        ...(interval && { ci95: [interval[0] - 1, Math.min(1, interval[1]) - 1] as const }),
        detail: { ...this.#counts, meanIou: this.#overlap.mean },
      },
    ];
  }
}

/** By the names in the settings, else by shape. */
function findOutputs(outputs: ReadonlyMap<string, PairedOutput>, settings: TaskSettings): [string, string] {
  const all = [...outputs].map(([name, { dims }]) => ({ name, dims }));
  const shown = all.map(({ name, dims }) => `'${name}' [${dims.join(', ')}]`);
  const named = (key: string): string | undefined => {
    const name = settings[key];
    if (name && !outputs.has(name)) throw compareErrors.taskOutputs('detection', `there is no output '${name}'`, shown);
    return name || undefined;
  };
  const isBoxes = ({ dims }: { readonly dims: readonly number[] }): boolean => dims.length === 3 && dims[2] === 4;
  const fours = all.filter(isBoxes);
  const boxes = named('boxes') ?? (fours.find(({ name }) => /box|loc/i.test(name)) ?? fours[0])?.name;
  const count = boxes === undefined ? undefined : outputs.get(boxes)!.dims[1];
  const scores =
    named('scores') ?? all.find(({ name, dims }) => name !== boxes && dims.length === 3 && dims[1] === count)?.name;
  if (boxes === undefined || scores === undefined) {
    throw compareErrors.taskOutputs(
      'detection',
      'it needs boxes [samples, boxes, 4] and scores [samples, boxes, classes]',
      shown,
    );
  }
  return [boxes, scores];
}

function boxesOf(
  boxes: Numbers,
  scores: Numbers,
  dims: readonly number[],
  sample: number,
  settings: TaskSettings,
): Box[] {
  const [, count, classes] = dims as [number, number, number];
  const limit = Number(settings['score']);
  // Two classes are background and the one thing looked for.
  const word = settings['background'];
  const background = word === 'auto' ? (classes === 2 ? 0 : -1) : word === 'none' ? -1 : Number(word);
  const found: Box[] = [];
  for (let i = 0; i < count; i++) {
    const row = (sample * count + i) * classes;
    let label = -1;
    for (let c = 0; c < classes; c++) {
      if (c !== background && scores[row + c]! >= limit && (label < 0 || scores[row + c]! > scores[row + label]!))
        label = c;
    }
    if (label < 0) continue;
    const at = (sample * count + i) * 4;
    const [a, b, c, d] = boxes.subarray(at, at + 4) as unknown as [number, number, number, number];
    const corners =
      settings['form'] === 'center'
        ? { x1: a - c / 2, y1: b - d / 2, x2: a + c / 2, y2: b + d / 2 }
        : { x1: a, y1: b, x2: c, y2: d };
    found.push({ ...corners, score: scores[row + label]!, label });
  }
  return suppress(found, Number(settings['nms']));
}

/** `--task detection` */
export const detection: Task = {
  id: 'detection',
  summary: 'boxes matched by overlap and class',
  settings: { score: '0.5', nms: '0.5', iou: '0.5', form: 'corner', background: 'auto', boxes: '', scores: '' },
  metrics: [{ id: 'detection.f1', unit: 'fraction', better: 'higher' }],
  create: (settings) => new Detection(settings),
};
