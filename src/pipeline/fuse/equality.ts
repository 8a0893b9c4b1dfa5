/** The proof of a fusion: both models run side by side on every sample, and what differs is held against what rounding makes of it. */
import { openSession, type Session } from '../../backends/session.ts';
import { openModel } from '../../compare/models.ts';
import { isComparable, toNumbers } from '../../compare/metrics/metric.ts';
import { feedsOfOne } from '../../data/batch.ts';
import type { Dataset } from '../../data/sample.ts';
import { choose } from '../../data/selection.ts';
import { pipelineErrors } from '../../errors/pipeline.ts';
import type { Model } from '../../graph/model.ts';
import type { Value } from '../../graph/value.ts';
import type { TensorValue } from '../../onnx/data-types.ts';
import { textsOf } from '../../onnx/strings.ts';
import { limitsOf } from '../../ops/index.ts';
import type { FuseOptions } from '../../settings/options.ts';
import { inputsOf } from '../source/source.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

export interface Proof {
  /** The largest difference of an output, relative to its range. */
  readonly worst: number;
  readonly samples: number;
  /** Where the model itself makes much of rounding, so that the bound is not that of other models. */
  readonly note?: string;
}

/**
 * A model that answers inputs moved by their last bit with another result answers a fusion, which rounds in other places, likewise. So
 * many times what the moved inputs changed is no sign of an error.
 */
const patience = 4;

/** @throws FUSE_NOT_EQUAL when an output differs by more than the bound, and by more than its own rounding explains */
export async function proveFused(
  options: FuseOptions,
  path: string,
  fused: Model,
  { dataset, count, bound }: { readonly dataset: Dataset; readonly count: number; readonly bound: number },
): Promise<Proof> {
  const { chosen } = choose(dataset.count, count, options.seed);
  const { threads } = options;
  const before = await openSession(openModel(path).source, { threads }, `'${path}'`);
  const after = await openSession(fused, { threads }, `the fused form of '${path}'`);
  const inputs = inputsOf(fused);
  const compare = async (other: (feeds: Tensors) => Promise<Tensors>, stage: string): Promise<Differences> => {
    const found = new Differences(path, fused);
    for await (const sample of dataset.samples(chosen)) {
      const feeds = feedsOfOne(sample, inputs, dataset);
      found.add(sample.id, await before.run(feeds), await other(feeds));
      options.onProgress?.({ stage, done: found.samples, unit: 'samples' });
    }
    return found;
  };
  try {
    const found = await compare((feeds) => after.run(feeds), 'proving equality');
    const beyond = found.names.filter((name) => found.relative(name) > bound);
    const moved =
      beyond.length > 0 ? await compare((feeds) => runMoved(before, feeds), 'looking at rounding') : undefined;
    for (const name of beyond) {
      if (found.relative(name) > patience * moved!.relative(name))
        throw pipelineErrors.notEqual(`'${path}'`, name, found.relative(name), bound);
    }
    const worst = Math.max(0, ...found.names.map((name) => found.relative(name)));
    const [name] = beyond;
    return { worst, samples: found.samples, ...(name !== undefined && { note: unsteady(name, found, moved!) }) };
  } finally {
    await before.dispose();
    await after.dispose();
  }
}

function unsteady(name: string, found: Differences, moved: Differences): string {
  const [changed, own] = [found, moved].map((each) => each.relative(name).toExponential(1));
  return `output '${name}' changes by ${own} of its range when inputs change by their last bit, and by ${changed} when fused: the model makes much of rounding`;
}

/** Every element of float inputs one unit in the last place up or down, in turn. */
function runMoved(session: Session, feeds: Tensors): Promise<Tensors> {
  const moved = Object.entries(feeds).map(([name, value]): [string, TensorValue] => {
    const { data } = value;
    if (!(data instanceof Float32Array)) return [name, value];
    return [name, { ...value, data: data.map((element, i) => element * (1 + (i % 2 === 0 ? 1 : -1) * 2 ** -23)) }];
  });
  return session.run(Object.fromEntries(moved));
}

/** By output, over all samples: how far two runs are apart, and how large it is. */
class Differences {
  samples = 0;
  readonly #path: string;
  readonly #most = new Map<string, number>();
  readonly #range: Map<string, number>;

  constructor(path: string, { graph }: Model) {
    this.#path = path;
    // What is as small as rounding in a Sigmoid, because the inputs were far from what it knows, is no difference of the models.
    this.#range = new Map(graph.outputs.map((output) => [output.name, naturalRange(output)]));
  }

  get names(): string[] {
    return [...this.#most.keys()];
  }

  relative(name: string): number {
    const most = this.#most.get(name) ?? 0;
    return most > 0 ? most / Math.max(this.#range.get(name)!, Number.MIN_VALUE) : 0;
  }

  add(sample: string, a: Tensors, b: Tensors): void {
    for (const [name, value] of Object.entries(a)) {
      if (value.type === 'string') checkTexts(`'${this.#path}'`, name, sample, value, b[name]!);
      if (!isComparable(value.type)) continue;
      const [x, y] = [toNumbers(value), toNumbers(b[name]!)];
      let most = this.#most.get(name) ?? 0;
      let top = this.#range.get(name) ?? 0;
      for (let i = 0; i < x.length; i++) {
        const distance = Math.abs(Number(x[i]) - Number(y[i]));
        if (distance > most) most = distance;
        const magnitude = Math.abs(Number(x[i]));
        if (magnitude > top) top = magnitude;
      }
      this.#most.set(name, most);
      this.#range.set(name, top);
    }
    this.samples++;
  }
}

/** The largest magnitude an output can have where its operator knows it (Sigmoid, Softmax, Tanh: 1), or 0. */
function naturalRange({ producer }: Value): number {
  const interval = producer && limitsOf(producer);
  return interval ? Math.max(-interval.min, interval.max) : 0;
}

/** @throws FUSE_NOT_EQUAL at the first text that differs */
function checkTexts(model: string, output: string, sample: string, a: TensorValue, b: TensorValue): void {
  const at = a.data.findIndex((element: number | bigint, i: number) => element !== b.data[i]);
  if (at < 0) return;
  const [before, after] = textsOf([a.data[at]!, b.data[at]!]) as [string, string];
  throw pipelineErrors.textsNotEqual(model, output, before, after, sample);
}
