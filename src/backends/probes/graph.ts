/** One-node graphs for probing: constants are filled, types named, shapes small. */
import { Graph } from '../../graph/graph.ts';
import { Model } from '../../graph/model.ts';
import { Names } from '../../graph/names.ts';
import type { Value } from '../../graph/value.ts';
import { dataType, elementCount, type DataTypeName, type TensorValue, type TypedArray } from '../../onnx/data-types.ts';
import { Tensor } from '../../onnx/tensor.ts';

/** A graph that runs as it is, with its feeds. */
export interface ProbeModel {
  readonly model: Model;
  readonly feeds: Readonly<Record<string, TensorValue>>;
}

type Attribute = number | string | readonly number[] | { readonly float: number };

/** Bit patterns of 1 in the types whose arrays hold patterns. */
const ones: Partial<Record<DataTypeName, number>> = { float16: 0x3c00, bfloat16: 0x3f80, float8e4m3fn: 0x38 };

/** Builds a graph of a few nodes. */
export class ProbeGraph {
  readonly #graph = new Graph('probe', new Names());
  readonly #feeds: Record<string, TensorValue> = {};
  readonly #domains = new Map<string, number>();
  readonly #opset: number;

  constructor(opset: number) {
    this.#opset = opset;
  }

  /** An input, fed with the given number everywhere. */
  input(type: DataTypeName, dims: readonly number[], fill = 1): Value {
    const value = this.#graph.addInput('x', dataType(type).code, dims);
    this.#feeds[value.name] = { type, dims, data: filled(type, elementCount(dims), fill) };
    return value;
  }

  constant(type: DataTypeName, dims: readonly number[], fill = 1): Value {
    const { bits } = dataType(type);
    const count = bits < 8 ? Math.ceil((elementCount(dims) * bits) / 8) : elementCount(dims);
    return this.#graph.addInitializer(Tensor.of('c', type, dims, filled(type, count, fill)));
  }

  node(
    opType: string,
    inputs: readonly (Value | null)[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): Value {
    const node = this.#graph.makeNode(opType, inputs, { name: opType, outputs: ['y'], domain });
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === 'number') node.setInt(name, value);
      else if (typeof value === 'string') node.setString(name, value);
      else if ('float' in value) node.setFloat(name, value.float);
      else node.setInts(name, value);
    }
    if (domain !== '') this.#domains.set(domain, 1);
    return this.#graph.append(node).output()!;
  }

  /** The model with this one output. */
  build(output: Value, type: DataTypeName, rank: number): ProbeModel {
    output.setType(
      dataType(type).code,
      Array.from({ length: rank }, () => null),
    );
    this.#graph.addOutput(output);
    const opsetImport = [
      { version: this.#opset },
      ...[...this.#domains].map(([domain, version]) => ({ domain, version })),
    ];
    return { model: new Model(this.#graph, { irVersion: 10, opsetImport }, undefined), feeds: this.#feeds };
  }
}

function filled(type: DataTypeName, count: number, fill: number): TypedArray {
  const { array } = dataType(type);
  const data = new (array as unknown as new (count: number) => TypedArray)(count);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return data.fill(BigInt(fill));
  return data.fill(fill === 1 ? (ones[type] ?? 1) : fill);
}
