/**
 * Diagnosis after a statistic was not finite: which tensor is the first, which node makes it, which sample. Slow and exact: the samples
 * of the batch run one by one, unoptimized, and every float tensor is read.
 */
import type { SessionOptions } from '../backends/session-options.ts';
import { openSession } from '../backends/session.ts';
import type { NotFinite } from '../errors/calibrate.ts';
import { copyModel } from '../graph/from-proto.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { elementTypes } from '../graph/element-types.ts';
import { topological } from '../graph/walk.ts';
import { dataType, type TensorValue } from '../onnx/data-types.ts';
import { Tensor } from '../onnx/tensor.ts';
import { infiniteValues } from '../ops/infinite.ts';
import { unobservable } from '../quantizable/kept-nodes.ts';
import { softmaxOnly } from '../quantizable/attention.ts';
import { lift, reductions } from './reductions.ts';
import { guardedValues } from './nan-flow.ts';
import { floatTypes } from './probes.ts';
import { append, setOutputs } from './graph-outputs.ts';

/** The inputs of one sample. */
export interface NamedFeeds {
  readonly id: string;
  readonly inputs: Readonly<Record<string, TensorValue>>;
}

/**
 * The first NaN of the graph that no guard removes or, if there is none, the first infinity in an observed tensor where it is
 * not meant; undefined when everything is finite (a sum may overflow).
 * @param samples each as the model takes it
 */
export async function diagnose(
  model: Model,
  observed: ReadonlySet<string>,
  samples: readonly NamedFeeds[],
  options: SessionOptions,
): Promise<NotFinite | undefined> {
  const copy = copyModel(model);
  const guarded = guardedValues(copy.graph);
  const meant = new Set([...softmaxOnly(copy.graph, copy.opset), ...infiniteValues(copy).keys()]);
  const witnesses = witnessesOf(copy);
  setOutputs(copy.graph, [...new Set(witnesses.flatMap(({ outputs }) => Object.values(outputs)))]);
  const session = await openSession(copy, { ...options, level: 'disabled' });
  const findings: NotFinite[] = [];
  try {
    const floats = new Set(session.outputs.filter(({ type }) => floatTypes.has(type)).map(({ name }) => name));
    const readable = witnesses.filter(({ outputs }) => floats.has(outputs.NaN.name));
    for (const { id, inputs } of samples) {
      const results = await session.run(inputs, [...floats]);
      const first = (found: NotFinite['found'], among: readonly Witness[]): Value | undefined =>
        among.find(({ value, outputs }) =>
          holds(value === outputs.infinity ? found : 'NaN', results[outputs[found].name]!),
        )?.value;
      const nan = first(
        'NaN',
        readable.filter(({ value }) => !guarded.has(value)),
      );
      const value =
        nan ??
        first(
          'infinity',
          readable.filter(({ value }) => observed.has(value.name) && !meant.has(value)),
        );
      if (value) findings.push(finding(value, nan ? 'NaN' : 'infinity', id));
    }
  } finally {
    await session.dispose();
  }
  const worst = findings.find(({ found }) => found === 'NaN') ?? findings[0];
  if (!worst) return undefined;
  const same = findings.filter(({ tensor, found }) => tensor === worst.tensor && found === worst.found);
  return { ...worst, samples: same.flatMap((each) => each.samples) };
}

/** What shows NaN or infinity in a value: the value itself or, for one inside a body, sums that are NaN because of it. */
interface Witness {
  readonly value: Value;
  readonly outputs: Readonly<Record<NotFinite['found'], Value>>;
}

function witnessesOf(copy: Model): Witness[] {
  const { graph } = copy;
  const types = elementTypes(copy);
  const shape = graph.addInitializer(Tensor.of('diagnose_shape', 'int64', [1], BigInt64Array.of(1n)));
  const sum = (value: Value): Value => {
    const total = append(value.graph, 'ReduceSum', [value]);
    return lift(append(value.graph, 'Reshape', [total, shape]), reductions.sum, shape);
  };
  return [...valuesInOrder(graph)].flatMap((value): Witness[] => {
    if (value.graph === graph) return [{ value, outputs: { NaN: value, infinity: value } }];
    if (unobservable(value.graph) || !floatTypes.has(types.get(value)!)) return [];
    const single = append(value.graph, 'Cast', [value]);
    single.producer!.setInt('to', dataType('float32').code);
    // Tanh makes 1 of infinity and NaN of NaN; the difference is 0 unless both sides are infinite or NaN.
    const tanh = append(value.graph, 'Tanh', [single]);
    const difference = append(value.graph, 'Sub', [single, single]);
    return [{ value, outputs: { NaN: sum(tanh), infinity: sum(difference) } }];
  });
}

/** Every activation after those it depends on; the values of a body before those of the node that owns it. */
function* valuesInOrder(graph: Graph): Generator<Value> {
  for (const value of graph.inputs) if (!value.initializer) yield value;
  for (const node of topological(graph)) {
    for (const body of node.subgraphs()) yield* valuesInOrder(body);
    for (const value of node.outputs) if (value) yield value;
  }
}

function finding(value: Value, found: NotFinite['found'], id: string): NotFinite {
  const node = value.producer;
  const culprit = node?.inputs.find((input) => {
    const content = input?.constant;
    return (
      content &&
      floatTypes.has(content.type.name) &&
      holds(found, { type: content.type.name, dims: [], data: content.data() })
    );
  });
  return { tensor: value.name, node: node?.label, found, constant: culprit?.name, samples: [id] };
}

function holds(found: NotFinite['found'], { type, data }: TensorValue): boolean {
  if (type === 'float16') {
    const matches =
      found === 'NaN' ? (word: number) => (word & 0x7fff) > 0x7c00 : (word: number) => (word & 0x7fff) === 0x7c00;
    return (data as Uint16Array).some(matches);
  }
  const values = data as Float32Array | Float64Array;
  return values.some(found === 'NaN' ? Number.isNaN : (value) => Math.abs(value) === Infinity);
}
