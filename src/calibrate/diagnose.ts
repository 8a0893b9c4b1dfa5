/**
 * After a statistic was not finite: which tensor is the first, which node makes it, which sample. Slow and exact: the samples
 * of the batch run one by one, unoptimized, and every float tensor is read.
 */
import type { SessionOptions } from '../backends/options.ts';
import { openSession } from '../backends/session.ts';
import type { NotFinite } from '../errors/calibrate.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { topological } from '../graph/walk.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import { floatTypes } from './plan.ts';
import { copyModel, setOutputs } from './probe.ts';

export interface NamedFeeds {
  readonly id: string;
  readonly inputs: Readonly<Record<string, TensorValue>>;
}

/**
 * The first NaN of the graph or, if there is none, the first infinity in an observed tensor; undefined when everything is
 * finite (a sum may overflow).
 * @param samples each as the model takes it
 */
export async function diagnose(
  model: Model,
  observed: ReadonlySet<string>,
  samples: readonly NamedFeeds[],
  options: SessionOptions,
): Promise<NotFinite | undefined> {
  const copy = copyModel(model);
  const { graph } = copy;
  const made = topological(graph).flatMap((node) => node.outputs.filter((value) => value !== null));
  const values = [...graph.inputs.filter((value) => !value.initializer), ...made];
  setOutputs(graph, values);
  const session = await openSession(copy, { ...options, level: 'disabled' });
  const findings: NotFinite[] = [];
  try {
    const floats = new Set(session.outputs.filter(({ type }) => floatTypes.has(type)).map(({ name }) => name));
    const readable = values.filter(({ name }) => floats.has(name));
    for (const { id, inputs } of samples) {
      const results = await session.run(
        inputs,
        readable.map(({ name }) => name),
      );
      const first = (found: NotFinite['found'], among: readonly Value[]): Value | undefined =>
        among.find(({ name }) => holds(found, results[name]!));
      const nan = first('NaN', readable);
      const value =
        nan ??
        first(
          'infinity',
          readable.filter(({ name }) => observed.has(name)),
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
