/**
 * Which elements of a large tensor are looked at: a share of its blocks, another one for each sample, so that all have their
 * turn. They are cut out inside the graph: to bring whole activations out costs more than to make them.
 */
import { append, copyModel, setOutputs } from '../../calibrate/probe.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Model } from '../../graph/model.ts';
import type { Value } from '../../graph/value.ts';
import { dataType, type TensorValue, type TypedArray } from '../../onnx/data-types.ts';
import { Tensor } from '../../onnx/tensor.ts';

/** Elements of one tensor of one sample that are looked at, in blocks that a histogram takes at one go. */
export const budget = 2 ** 13;
const block = 2 ** 12;

/** Intervals: one, or of a large tensor two, since two blocks are the budget; the second may be empty. */
type Windows = readonly (readonly [from: number, to: number])[];

/** @param elements of one sample; `sample`: how many were before it */
export function windowsOf(elements: number, sample: number): Windows {
  if (elements <= budget) return [[0, elements]];
  const every = Math.ceil(elements / budget);
  const first = sample % every;
  return [first, first + every].map((at) => [Math.min(at * block, elements), Math.min((at + 1) * block, elements)]);
}

/** Slice takes its bounds as inputs. */
const leastOpset = 10;

/** A model whose outputs are tensors to compare. */
export interface Tapped {
  readonly model: Model;
  /** More inputs, for the windows of the sample of this number. */
  windows(sample: number): Record<string, TensorValue>;
  /** Of this value: its windows where they were cut out, else the tensor whole. */
  parts(results: Readonly<Record<string, TensorValue>>, value: Value): readonly TypedArray[];
}

/**
 * A copy of the model.
 * @param values become its outputs, beside the state
 * @param cut elements of those of which only the windows shall come out, by name
 */
export function tap(
  model: Model,
  values: readonly Value[],
  state: readonly string[],
  cut: ReadonlyMap<string, number> = new Map(),
): Tapped {
  const copy = copyModel(model);
  const { graph } = copy;
  const slicers = new Map<number, Slicer>();
  const parts = new Map<string, readonly Value[]>();
  for (const { name } of values) {
    const [value, elements] = [graph.values.get(name)!, cut.get(name)];
    if (parts.has(name)) continue;
    if (elements !== undefined && !slicers.has(elements)) slicers.set(elements, new Slicer(graph, elements));
    parts.set(name, elements === undefined ? [value] : slicers.get(elements)!.cut(value));
  }
  const kept = graph.outputs.filter(({ name }) => state.includes(name));
  setOutputs(graph, [...new Set([...[...parts.values()].flat(), ...kept])]);
  return {
    model: copy,
    windows: (sample) => Object.assign({}, ...Array.from(slicers.values(), (slicer) => slicer.feeds(sample))),
    parts: (results, { name }) => parts.get(name)!.map((part) => results[part.name]!.data),
  };
}

/** Whether windows can be cut out of the tensors of this model. */
export function canCut({ opset }: Model): boolean {
  return opset >= leastOpset;
}

/** Cuts the windows out of tensors of one size. A tensor of any other fails the run: its windows would be elsewhere. */
class Slicer {
  readonly #elements: number;
  readonly #line: Value;
  readonly #bounds: readonly (readonly [from: Value, to: Value])[];
  readonly #graph: Graph;

  constructor(graph: Graph, elements: number) {
    this.#graph = graph;
    this.#elements = elements;
    this.#line = graph.addInitializer(Tensor.of('window_line', 'int64', [1], BigInt64Array.of(BigInt(elements))));
    const bound = (name: string): Value => graph.addInput(name, dataType('int64').code, [1]);
    this.#bounds = windowsOf(elements, 0).map(() => [bound('window_from'), bound('window_to')]);
  }

  cut(value: Value): readonly Value[] {
    const flat = append(this.#graph, 'Reshape', [value, this.#line]);
    return this.#bounds.map((bounds) => append(this.#graph, 'Slice', [flat, ...bounds]));
  }

  feeds(sample: number): Record<string, TensorValue> {
    const bound = (at: number): TensorValue => ({ type: 'int64', dims: [1], data: BigInt64Array.of(BigInt(at)) });
    return Object.fromEntries(
      windowsOf(this.#elements, sample).flatMap((window, i) =>
        window.map((at, end) => [this.#bounds[i]![end as 0 | 1].name, bound(at)]),
      ),
    );
  }
}
