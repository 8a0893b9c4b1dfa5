/**
 * Which elements of a tensor count for its range: all but those that are masked before a Softmax, infinities that a constant of the model
 * holds on purpose (ops/infinite.ts), and NaN that a guard removes (nan-flow.ts). They are cut in the graph, before any statistic, and
 * count as a value that the tensor has anyway.
 *
 * Before a Softmax (quantizable/attention.ts), of each row of n elements those count that lie at most K below its largest:
 *
 *     K = ln(2 · 255 · n)
 *
 * All elements that lie lower have together less than n · e^-K = 1 / (2 · 255) of the row's sum, half a step of the 8 bits in which the
 * result is read. So what is masked, by -100 or by minus infinity, counts as row maximum - K: the codes saturate there and the result is
 * the same. A row in which everything is masked has nothing to say. In front of operators before the Softmax, bounds are single numbers,
 * found from the operands of the sample at hand, so that such samples run one by one: where a scores + mask lies below its bound, so does
 * it for any mask below bound - max(scores).
 */
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { Tensor } from '../onnx/tensor.ts';
import { softmaxOnly, stepOf, type Step } from '../quantizable/attention.ts';
import { infiniteValues } from '../ops/infinite.ts';
import { append, appendReduction } from './graph-outputs.ts';
import { cast } from './reductions.ts';
import { guardedValues } from './nan-flow.ts';

/** Cuts out of tensors of one model what does not count. */
export class CountedElements {
  readonly #model: Model;
  readonly #guarded: ReadonlySet<Value>;
  readonly #infinite: ReturnType<typeof infiniteValues>;
  readonly #masks: SoftmaxMasks;
  #zero: Value | undefined;

  /** @param model to whose main graph statistics will be added, as it was before */
  constructor(model: Model) {
    this.#model = model;
    this.#guarded = guardedValues(model.graph);
    this.#infinite = infiniteValues(model);
    this.#masks = new SoftmaxMasks(model);
  }

  /**
   * @param float32 the tensor as float32
   * @returns float32 where not all of it counts, else the tensor itself
   */
  of(value: Value, float32: Value): Value {
    if (value.graph !== this.#model.graph) return value;
    const masked = this.#masks.has(value);
    let counts = value;
    if (this.#guarded.has(value)) counts = this.#without('IsNaN', float32);
    if (masked) return this.#masks.cut(value, counts === value ? float32 : counts);
    return this.#infinite.has(value) ? this.#without('IsInf', counts === value ? float32 : counts) : counts;
  }

  #without(what: 'IsNaN' | 'IsInf', value: Value): Value {
    const { graph } = this.#model;
    this.#zero ??= graph.addInitializer(Tensor.of('counted_zero', 'float32', [], Float32Array.of(0)));
    return append(graph, 'Where', [append(graph, what, [value]), this.#zero, value]);
  }
}

/** Rows whose largest element lies this far below the largest of all rows are masked as a whole: masks begin at some thousands. */
const wholeRow = 1000;
/** Of float32. */
const lowest = -3.4028234663852886e38;

interface MaskReader {
  readonly node: Node;
  readonly step: Step;
}

/** Bounds of a tensor, as scalars; absent where nothing is cut. */
interface Bound {
  readonly floor?: Value | undefined;
  readonly ceiling?: Value | undefined;
}

/** Of each row of the input of one Softmax: whether it counts, and its floor. */
interface CountedRows {
  readonly counts: Value;
  readonly floor: Value;
}

/** Cuts what is masked out of tensors of one graph. */
class SoftmaxMasks {
  readonly #graph: Graph;
  readonly #opset: number;
  /** Of every tensor that has bounds, as the graph was before anything was added to it. */
  readonly #readers: ReadonlyMap<Value, readonly MaskReader[]>;
  readonly #bounds = new Map<Value, Bound>();
  readonly #rows = new Map<Node, CountedRows>();
  readonly #made = new Map<string, Value>();

  /** @param model to whose main graph statistics will be added */
  constructor({ graph, opset }: Model) {
    this.#graph = graph;
    this.#opset = opset;
    this.#readers = new Map(
      [...softmaxOnly(graph, opset)].map((value) => [
        value,
        [...value.users.keys()].flatMap((node) =>
          node.inputs.flatMap((input, index) => {
            const step = input === value ? stepOf(node, index, opset) : undefined;
            return step ? [{ node, step }] : [];
          }),
        ),
      ]),
    );
  }

  has(value: Value): boolean {
    return this.#readers.has(value);
  }

  /** @param float32 the tensor as float32 */
  cut(value: Value, float32: Value): Value {
    const readers = this.#readers.get(value)!;
    if (readers.length === 1 && readers[0]!.step.kind === 'softmax') {
      const { counts, floor } = this.#rowsOf(readers[0]!.node, readers[0]!.step.axis);
      return this.#op('Where', counts, this.#op('Max', float32, floor), this.#number(0));
    }
    const { floor, ceiling } = this.#boundOf(value);
    let cut = float32;
    // Without a row that counts the floor is infinite, and nothing counts.
    if (floor) {
      const some = this.#op('Less', floor, this.#number(-lowest));
      cut = this.#op('Where', some, this.#op('Max', cut, this.#orElse(floor, -Infinity)), this.#number(0));
    }
    return ceiling ? this.#op('Min', cut, this.#orElse(ceiling, Infinity)) : cut;
  }

  #boundOf(value: Value): Bound {
    const known = this.#bounds.get(value);
    if (known) return known;
    const all = this.#readers.get(value)!.flatMap(({ node, step }) => this.#boundsBefore(node, step));
    const join = (op: 'Min' | 'Max', end: keyof Bound): Value | undefined => {
      const of = all.map((each) => each[end]);
      if (of.length === 0 || of.includes(undefined)) return undefined;
      return (of as Value[]).reduce((x, y) => (x === y ? x : this.#op(op, x, y)));
    };
    const bound = { floor: join('Min', 'floor'), ceiling: join('Max', 'ceiling') };
    this.#bounds.set(value, bound);
    return bound;
  }

  /** What a reader lets through of the bounds behind it. */
  #boundsBefore(node: Node, step: Step): Bound[] {
    if (step.kind === 'softmax') {
      const { counts, floor } = this.#rowsOf(node, step.axis);
      return [{ floor: this.#extreme('ReduceMin', this.#op('Where', counts, floor, this.#number(Infinity))) }];
    }
    const behind = node.outputs.filter((output) => output !== null).map((output) => this.#boundOf(output));
    if (step.kind === 'same') return behind;
    const on = (value: Value | undefined, make: (value: Value) => Value): Value | undefined => value && make(value);
    if (step.kind === 'sum') {
      const [least, most] = [
        () => this.#extremeOf('ReduceMin', step.other),
        () => this.#extremeOf('ReduceMax', step.other),
      ];
      return behind.map(({ floor, ceiling }): Bound => {
        // y = other - x
        if (step.negated)
          return {
            floor: on(ceiling, (top) => this.#op('Sub', least(), top)),
            ceiling: on(floor, (low) => this.#op('Sub', most(), low)),
          };
        // y = x - other
        if (step.subtracted)
          return {
            floor: on(floor, (low) => this.#op('Add', low, least())),
            ceiling: on(ceiling, (top) => this.#op('Add', top, most())),
          };
        return {
          floor: on(floor, (low) => this.#op('Sub', low, most())),
          ceiling: on(ceiling, (top) => this.#op('Sub', top, least())),
        };
      });
    }
    // Factors of one sign only: the one of them with which the bound is farthest.
    const factors = [this.#extremeOf('ReduceMin', step.by), this.#extremeOf('ReduceMax', step.by)] as const;
    const positive = this.#op('Greater', factors[0], this.#number(0));
    const scaled = (bound: Value, join: 'Min' | 'Max', otherwise: number): Value => {
      const [a, b] = factors.map((factor) => this.#op(step.divided ? 'Mul' : 'Div', bound, factor));
      return this.#op('Where', positive, this.#op(join, a!, b!), this.#number(otherwise));
    };
    return behind.map(({ floor, ceiling }) => ({
      floor: on(floor, (low) => scaled(low, 'Min', -Infinity)),
      ceiling: on(ceiling, (top) => scaled(top, 'Max', Infinity)),
    }));
  }

  #rowsOf(softmax: Node, axis: number): CountedRows {
    const known = this.#rows.get(softmax);
    if (known) return known;
    const scores = cast(softmax.input(0)!);
    const top = appendReduction(scores, 'ReduceMax', [axis], this.#opset);
    const least = this.#op('Sub', this.#extreme('ReduceMax', top), this.#number(wholeRow));
    const counts = this.#op('Greater', top, this.#op('Max', least, this.#number(lowest)));
    const length = this.#op('Gather', this.#op('Shape', scores), this.#axis(axis));
    const elements = cast(length);
    const reach = this.#op('Log', this.#op('Mul', elements, this.#number(2 * 255)));
    const rows = { counts, floor: this.#op('Sub', top, reach) };
    this.#rows.set(softmax, rows);
    return rows;
  }

  /** Of an operand, as a scalar. */
  #extremeOf(op: 'ReduceMin' | 'ReduceMax', value: Value): Value {
    const key = `${op} ${value.name}`;
    const made = this.#made.get(key) ?? this.#extreme(op, cast(value));
    this.#made.set(key, made);
    return made;
  }

  #extreme(op: 'ReduceMin' | 'ReduceMax', value: Value): Value {
    const made = this.#op(op, value);
    made.producer!.setInt('keepdims', 0);
    return made;
  }

  #orElse(value: Value, otherwise: number): Value {
    return this.#op('Where', this.#op('IsNaN', value), this.#number(otherwise), value);
  }

  #op(op: string, ...inputs: Value[]): Value {
    return append(this.#graph, op, inputs);
  }

  #number(value: number): Value {
    return this.#constant(`unmasked_${value}`, () =>
      Tensor.of('unmasked_number', 'float32', [], Float32Array.of(value)),
    );
  }

  #axis(axis: number): Value {
    return this.#constant(`axis_${axis}`, () =>
      Tensor.of('unmasked_axis', 'int64', [], BigInt64Array.of(BigInt(axis))),
    );
  }

  #constant(key: string, make: () => Tensor): Value {
    const made = this.#made.get(key) ?? this.#graph.addInitializer(make());
    this.#made.set(key, made);
    return made;
  }
}
