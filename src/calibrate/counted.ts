/**
 * Which elements of a tensor count for its range: all but those that are masked before a Softmax (unmasked.ts; the bounds are found from the
 * rows of each sample, so that such samples run one by one), infinities that a constant of the model holds on purpose (ops/infinite.ts), and NaN
 * that a guard removes (nan-flow.ts). They are cut in the graph, before any statistic, and count as a value that the tensor has anyway.
 */
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import { infiniteValues } from '../ops/infinite.ts';
import { guardedValues } from './nan-flow.ts';
import { append } from './graph-outputs.ts';
import { Unmasked } from './unmasked.ts';

export class Counted {
  readonly #model: Model;
  readonly #guarded: ReadonlySet<Value>;
  readonly #infinite: ReturnType<typeof infiniteValues>;
  readonly #unmasked: Unmasked;
  #zero: Value | undefined;

  /** @param model to whose main graph statistics will be added, as it was before */
  constructor(model: Model) {
    this.#model = model;
    this.#guarded = guardedValues(model.graph);
    this.#infinite = infiniteValues(model);
    this.#unmasked = new Unmasked(model);
  }

  /**
   * @param float32 the tensor as float32
   * @returns float32 where not all of it counts, else the tensor itself
   */
  of(value: Value, float32: Value): Value {
    if (value.graph !== this.#model.graph) return value;
    const masked = this.#unmasked.has(value);
    let counts = value;
    if (this.#guarded.has(value)) counts = this.#without('IsNaN', float32);
    if (masked) return this.#unmasked.cut(value, counts === value ? float32 : counts);
    return this.#infinite.has(value) ? this.#without('IsInf', counts === value ? float32 : counts) : counts;
  }

  #without(what: 'IsNaN' | 'IsInf', value: Value): Value {
    const { graph } = this.#model;
    this.#zero ??= graph.addInitializer(Tensor.of('counted_zero', 'float32', [], Float32Array.of(0)));
    return append(graph, 'Where', [append(graph, what, [value]), this.#zero, value]);
  }
}
