/**
 * A sample of a tensor's elements, taken inside the graph: fetching whole activations would cost up to twice the inference. It is every
 * s-th element of the flat tensor (element-positions.ts), whatever its layout, and begins elsewhere in each sample of data, so that what
 * always stands at the same place has its turn.
 *
 * - From each place between 0 and s − 1 as many elements are taken, so that they fit where the last ones were written
 *   (preallocated-outputs.ts). Counted from the beginning that leaves out up to s − 1 of the last elements: half of the samples are counted
 *   from the end, backwards.
 * - Where the shape is not known beforehand, the graph works out the stride: the sizes of the first sample would tell of the shard.
 * - Where several samples make up a run, each row begins at its own place.
 * - Images of convolutions are pooled first, in onnxruntime's blocked layout, where that leaves enough of them.
 *
 * The extremes of each sample of data, which are exact, are counted apart (observers/peaks.ts).
 */
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import { dataType, elementCount } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { phaseInput, budget, strideOf, strides } from './element-positions.ts';
import { append } from './graph-outputs.ts';

/** The first operator set whose Slice has a stride; and the first that can work out a stride or gather by row. */
const slices = 10;
const gathers = 11;
/** A place beyond the end of every tensor. */
const far = 2n ** 62n;

/** Budgets that are brought out of the blocked layout, for a sample of them. */
const spare = 4;

/** What is known of the shapes of a run. */
export interface Shapes {
  /** Samples of data in a run. */
  readonly samples: number;
  /** Whether shapes differ from sample to sample. */
  readonly open: boolean;
}

/** The sampled elements of a tensor. */
export interface SampledElements {
  /** float32; the value itself where all of it is taken. */
  readonly value: Value;
  /** For how many elements each one stands; a scalar of the graph where that depends on the sample. */
  readonly stride: number | Value;
}

/** Each of shape [1], those of the phase [samples, 1] where a run has several. */
interface Steps {
  readonly stride: Value;
  /** The first place, from 0 to stride − 1, counted from the end that is taken. */
  readonly start: Value;
  /** 1 where that is the last element, else 0; and −1 there, else 1. */
  readonly backwards: Value;
  readonly sign: Value;
}

/** Appends the nodes that sample tensors to one graph; constants and steps are shared. */
export class Sampler {
  readonly #graph: Graph;
  readonly #opset: number;
  readonly #shapes: Shapes;
  readonly #constants = new Map<string, Value>();
  readonly #steps = new Map<string, Steps>();
  #phase: Value | undefined;

  constructor(graph: Graph, opset: number, shapes: Shapes) {
    this.#graph = graph;
    this.#opset = opset;
    this.#shapes = shapes;
  }

  /** The graph input for the phases of a run; undefined while nothing needs one. */
  get phase(): string | undefined {
    return this.#phase?.name;
  }

  /**
   * @param value float32, in the main graph
   * @param dims as traced
   * @param blocked the image of a convolution that nothing else brings out of the runtime's blocked layout
   */
  take(value: Value, dims: readonly number[], blocked = false): SampledElements {
    const { samples, open } = this.#shapes;
    if (blocked && !open) {
      const step = poolStride(dims, samples);
      if (step > 1) {
        const { value: rest, stride } = this.take(this.#pool(value, step), pooled(dims, step));
        return { value: rest, stride: typeof stride === 'number' ? stride * step * step : stride };
      }
    }
    const elements = elementCount(dims);
    // Without a batch axis all samples of a run have the same elements, of which no phase may tell.
    const rows = dims.length > 0 && dims[0]! % samples === 0 ? samples : 1;
    const stride = strideOf(elements / rows);
    const least = open || rows > 1 ? gathers : slices;
    if (this.#opset < least || (stride === 1 && !open)) return { value, stride: 1 };
    const line = this.#add('Reshape', value, this.#numbers([rows, -1]));
    const measured = open ? this.#measure(value, rows) : undefined;
    const steps = this.#stepsOf(measured ?? this.#numbers([stride]), rows === samples);
    return { value: rows > 1 ? this.#gather(line, steps) : this.#slice(line, steps), stride: measured ?? stride };
  }

  /** Of rows and columns every so many: in the blocked layout, and all channels remain. */
  #pool(value: Value, step: number): Value {
    const image = this.#add('MaxPool', value);
    image.producer!.setInts('kernel_shape', [1, 1]);
    image.producer!.setInts('strides', [step, step]);
    return image;
  }

  /** [1, elements / stride], rounded down. */
  #slice(line: Value, { stride, start, backwards, sign }: Steps): Value {
    const one = this.#numbers([1]);
    // Both count from the end that is opposite to the start, where 0 would be the start: what is beyond takes its place.
    const early = this.#add('Sub', start, this.#add('Sub', stride, one));
    const beyond = this.#add('Mul', this.#add('Div', this.#add('Add', start, one), stride), this.#numbers([far]));
    const turned = (each: Value): Value => this.#add('Sub', this.#add('Mul', each, sign), backwards);
    const end = turned(this.#add('Add', early, beyond));
    return this.#add('Slice', line, turned(start), end, one, this.#add('Mul', stride, sign));
  }

  /** The same row by row, which may begin at different places. */
  #gather(line: Value, { stride, start, backwards, sign }: Steps): Value {
    const one = this.#numbers([1]);
    const size = this.#add('Gather', this.#add('Shape', line), one);
    const end = this.#add('Sub', size, this.#add('Sub', stride, one));
    const scalar = (each: Value): Value => this.#add('Reshape', each, this.#numbers([]));
    const even = this.#add('Range', this.#numbers([0], []), scalar(end), scalar(stride));
    const turned = this.#add('Mul', this.#add('Add', even, start), sign);
    const last = this.#add('Mul', backwards, this.#add('Sub', size, one));
    const gathered = this.#add('GatherElements', line, this.#add('Add', turned, last));
    gathered.producer!.setInt('axis', 1);
    return gathered;
  }

  /** What strideOf says, of shape [1]. */
  #measure(value: Value, rows: number): Value {
    const elements = this.#add('Div', this.#add('Size', value), this.#numbers([rows]));
    const most = this.#add('Add', elements, this.#numbers([budget - 1]));
    const level = this.#add(
      'Min',
      this.#add('Div', most, this.#numbers([budget])),
      this.#numbers([strides.length - 1]),
    );
    const table = this.#numbers(strides.flat(), [strides.length, strides[0]!.length]);
    const primes = this.#add('Reshape', this.#add('Gather', table, level), this.#numbers([-1]));
    const left = this.#add('Min', this.#add('Mod', elements, primes), this.#numbers([1]));
    const found = this.#add('Cast', left);
    found.producer!.setInt('to', dataType('int32').code);
    const first = this.#add('ArgMax', found);
    first.producer!.setInt('axis', 0);
    return this.#add('Gather', primes, first);
  }

  #stepsOf(stride: Value, phased: boolean): Steps {
    const key = `${stride.name} ${phased}`;
    const known = this.#steps.get(key);
    if (known) return known;
    const two = this.#numbers([2]);
    const steps = phased
      ? { stride, start: this.#add('Mod', this.#add('Div', this.#phases(), two), stride), ...this.#direction() }
      : { stride, start: this.#numbers([0]), backwards: this.#numbers([0]), sign: this.#numbers([1]) };
    this.#steps.set(key, steps);
    return steps;
  }

  #direction(): Pick<Steps, 'backwards' | 'sign'> {
    const two = this.#numbers([2]);
    const backwards = this.#add('Mod', this.#phases(), two);
    return { backwards, sign: this.#add('Sub', this.#numbers([1]), this.#add('Mul', backwards, two)) };
  }

  #phases(): Value {
    const { samples } = this.#shapes;
    this.#phase ??= this.#graph.addInput(phaseInput, dataType('int64').code, samples === 1 ? [1] : [samples, 1]);
    return this.#phase;
  }

  #numbers(numbers: readonly (number | bigint)[], dims = [numbers.length]): Value {
    const key = numbers.length > 99 ? 'table' : `${numbers.join()} of ${dims.join('x')}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const constant = this.#graph.addInitializer(
      Tensor.of('sample_numbers', 'int64', dims, BigInt64Array.from(numbers, BigInt)),
    );
    this.#constants.set(key, constant);
    return constant;
  }

  #add(opType: string, ...inputs: readonly Value[]): Value {
    return append(this.#graph, opType, inputs);
  }
}

/** The least stride that leaves a few times the budget. */
function poolStride(dims: readonly number[], samples: number): number {
  const [, , height = 1, width = 1] = dims;
  let step = 1;
  while (elementCount(pooled(dims, step)) > spare * budget * samples && step < Math.max(height, width)) step++;
  return step;
}

function pooled([images = 1, channels = 1, ...sides]: readonly number[], step: number): number[] {
  return [images, channels, ...sides.map((side) => Math.ceil(side / step))];
}
