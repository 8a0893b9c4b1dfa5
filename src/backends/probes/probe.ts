/**
 * A probe at work: builds graphs of a few nodes (constants are filled, types named, shapes small), loads and runs them, and holds what comes
 * out against what is expected.
 */
import { QdqError } from '../../errors/qdq-error.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from '../../onnx/narrow-types.ts';
import { type TensorValue, dataType, elementCount, type DataTypeName, type TypedArray } from '../../onnx/data-types.ts';
import { openSession } from '../session.ts';
import { Graph } from '../../graph/graph.ts';
import { Model } from '../../graph/model.ts';
import { Names } from '../../graph/names.ts';
import type { Value } from '../../graph/value.ts';
import { Tensor } from '../../onnx/tensor.ts';
import type { Probe } from './index.ts';

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

/** What came of a probe. */
export interface ProbeResult {
  readonly id: string;
  readonly format: Probe['format'];
  /** wrong: it runs and gives another result than its definition. */
  readonly status: 'runs' | 'wrong' | 'refused';
  /** What onnxruntime said, or what came out. */
  readonly detail?: string;
}

/** Runs probes one after the other; a refusal is a result. */
export async function runProbes(probes: readonly Probe[]): Promise<ProbeResult[]> {
  const results: ProbeResult[] = [];
  for (const probe of probes) results.push({ id: probe.id, format: probe.format, ...(await runProbe(probe)) });
  return results;
}

async function runProbe({ id, build, expected }: Probe): Promise<Pick<ProbeResult, 'status' | 'detail'>> {
  try {
    const { model, feeds } = build();
    const session = await openSession(model, {}, `the probe '${id}'`);
    try {
      const [output] = Object.values(await session.run(feeds));
      const values = numbersOf(output!);
      const wrong = expected && values.find((value) => !(Math.abs(value - expected.value) <= expected.tolerance));
      return wrong === undefined
        ? { status: 'runs' }
        : { status: 'wrong', detail: `${wrong} instead of ${expected!.value}` };
    } finally {
      await session.dispose();
    }
  } catch (error) {
    if (!(error instanceof QdqError)) throw error;
    return { status: 'refused', detail: error.message };
  }
}

function numbersOf({ type, data }: TensorValue): number[] {
  if (type === 'float16') return Array.from(data as Uint16Array, (bits) => float16ToFloat32(bits));
  if (type === 'bfloat16') return Array.from(data as Uint16Array, (bits) => bfloat16ToFloat32(bits));
  return Array.from(data as ArrayLike<number>);
}
