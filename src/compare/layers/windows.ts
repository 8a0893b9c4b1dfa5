/**
 * Which elements of a large tensor are looked at: a share of its blocks, another one for each sample, so that all have their
 * turn. They are cut out inside the graph: to bring whole activations out costs more than to make them.
 */
import { append, setOutputs } from '../../calibrate/graph-outputs.ts';
import { copyModel } from '../../graph/from-proto.ts';
import type { Graph } from '../../graph/graph.ts';
import type { Model } from '../../graph/model.ts';
import type { Value } from '../../graph/value.ts';
import { dataType, type DataTypeName, type TensorValue, type TypedArray } from '../../onnx/data-types.ts';
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

/** A tensor of which only the windows of a sample come out. */
export interface Cut {
  readonly elements: number;
  readonly type: DataTypeName;
}

/** A model whose outputs are tensors to compare. */
export interface Tapped {
  readonly model: Model;
  /** More inputs, for the windows of the sample of this number. */
  windows(sample: number): Record<string, TensorValue>;
  /** The windows of each tensor that was cut, by its name: views of the results. */
  parts(results: Readonly<Record<string, TensorValue>>, sample: number): ReadonlyMap<string, readonly TypedArray[]>;
}

/**
 * A copy of the model. What is cut out leaves it as one tensor of each type: hundreds of small ones cost more in objects than in bytes.
 * @param values become its outputs, beside the state
 * @param cuts those of which only the windows shall come out, by name
 */
export function tap(
  model: Model,
  values: readonly Value[],
  state: readonly string[],
  cuts: ReadonlyMap<string, Cut> = new Map(),
): Tapped {
  const copy = copyModel(model);
  const { graph } = copy;
  const cutter = cuts.size > 0 ? new Cutter(graph) : undefined;
  const joins = new Map<
    DataTypeName,
    { readonly members: [string, Cut][]; readonly slices: Value[]; output?: Value }
  >();
  const whole: Value[] = [];
  const names = [...new Set(values.map(({ name }) => name))];
  // The last layer first: so onnxruntime cuts each tensor as soon as it is made, and need not keep them all.
  for (const name of names.reverse()) {
    const [value, cut] = [graph.values.get(name)!, cuts.get(name)];
    if (cut === undefined) {
      whole.unshift(value);
      continue;
    }
    const { elements, type } = cut;
    if (!joins.has(type)) joins.set(type, { members: [], slices: [] });
    const { members, slices } = joins.get(type)!;
    members.push([name, cut]);
    slices.push(...cutter!.cut(value, elements));
  }
  for (const join of joins.values()) {
    join.output = append(graph, 'Concat', join.slices);
    join.output.producer!.setInt('axis', 0);
  }
  const kept = graph.outputs.filter((value) => state.includes(value.name) && !whole.includes(value));
  setOutputs(graph, [...whole, ...Array.from(joins.values(), ({ output }) => output!), ...kept]);
  return {
    model: copy,
    windows: (sample) => cutter?.feeds(sample) ?? {},
    parts(results, sample) {
      const found = new Map<string, readonly TypedArray[]>();
      for (const { members, output } of joins.values()) {
        const { data } = results[output!.name]!;
        let at = 0;
        const next = (length: number): TypedArray => data.subarray(at, (at += length));
        for (const [name, { elements }] of members)
          found.set(
            name,
            windowsOf(elements, sample).map(([from, to]) => next(to - from)),
          );
      }
      return found;
    },
  };
}

/** Whether windows can be cut out of the tensors of this model. */
export function canCut({ opset }: Model): boolean {
  return opset >= leastOpset;
}

/** Cuts windows out of tensors. Where they are one input says: the bounds of each size of tensor, one size after the other. */
class Cutter {
  readonly #graph: Graph;
  readonly #input: Value;
  readonly #bySize = new Map<number, { readonly line: Value; readonly bounds: readonly (readonly Value[])[] }>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#input = graph.addInput('window_bounds', dataType('int64').code, [null]);
  }

  /** A tensor of another size fails the run: its windows would be elsewhere. */
  cut(value: Value, elements: number): readonly Value[] {
    const { line, bounds } = this.#bySize.get(elements) ?? this.#add(elements);
    const flat = append(this.#graph, 'Reshape', [value, line]);
    return bounds.map((pair) => append(this.#graph, 'Slice', [flat, ...pair]));
  }

  #add(elements: number): { line: Value; bounds: Value[][] } {
    const number = (at: number): Value =>
      this.#graph.addInitializer(Tensor.of('window_number', 'int64', [1], BigInt64Array.of(BigInt(at))));
    const windows = windowsOf(elements, 0);
    const before = this.#bySize.size * 2 * windows.length;
    const bounds = windows.map((window, i) =>
      window.map((_, end) => append(this.#graph, 'Gather', [this.#input, number(before + 2 * i + end)])),
    );
    const added = { line: number(elements), bounds };
    this.#bySize.set(elements, added);
    return added;
  }

  feeds(sample: number): Record<string, TensorValue> {
    const data = BigInt64Array.from(
      [...this.#bySize.keys()].flatMap((elements) => windowsOf(elements, sample).flat()),
      BigInt,
    );
    return { [this.#input.name]: { type: 'int64', dims: [data.length], data } };
  }
}
