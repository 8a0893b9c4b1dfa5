/**
 * Where gradients are computed: the training graph, the float teacher and the model as it stands, each in a session of its own.
 * One engine runs in each worker; parameters and gradients go in and out as flat arrays.
 */
import type { Session } from '../backends/session.ts';
import { openSession } from '../backends/session.ts';
import type { SessionOptions } from '../backends/options.ts';
import type { Stub } from '../backends/stub.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Parameter } from './parameters.ts';
import { parameterFeeds, type TrainingGraph } from './training-graph.ts';

/** Plain data, so that it can be sent to a worker. */
export interface EngineSpec {
  readonly training: Stub;
  readonly graph: Omit<TrainingGraph, 'model'>;
  /** The model with its parameters as inputs. */
  readonly forward: Stub;
  /** Float; undefined when neither loss nor evaluation needs one. */
  readonly teacher: Stub | undefined;
  /** Names of the inputs of the teacher and of the model's data inputs. */
  readonly inputs: readonly string[];
  readonly threads: number;
}

/** Part of a step, in the batch size of the training graph. */
export interface Shard {
  readonly feeds: Readonly<Record<string, TensorValue>>;
  /** [samples, classes], when there is a loss on labels. */
  readonly target?: TensorValue;
}

export interface StepResult {
  /** Sums over the shards. */
  readonly loss: number;
  readonly terms: readonly number[];
}

/**
 * Run-time parameters keep onnxruntime from packing weights, so that higher levels gain nothing; Q/DQ must stay as they are.
 * Spinning threads steal the core that decodes the next batch.
 */
const trainingOptions: SessionOptions = {
  level: 'basic',
  simulate: true,
  memoryPattern: false,
  extra: { 'intra_op.allow_spinning': '0' },
};

export class Engine {
  readonly #spec: EngineSpec;
  #training: Session | undefined;
  #forward: Session | undefined;
  #teacher: Session | undefined;

  constructor(spec: EngineSpec) {
    this.#spec = spec;
  }

  /**
   * @param gradients is written: sums over the shards, in their order
   */
  async step(parameters: Float32Array, shards: readonly Shard[], gradients: Float32Array): Promise<StepResult> {
    const { graph, threads, training } = this.#spec;
    this.#training ??= await openSession(training, { ...trainingOptions, threads }, 'the training graph');
    let loss = 0;
    const terms = graph.terms.map(() => 0);
    for (const [index, { feeds, target }] of shards.entries()) {
      const wanted = graph.teacher.size > 0 ? await this.teach(feeds, [...graph.teacher.keys()]) : {};
      const results = await this.#training.run({
        ...feeds,
        ...parameterFeeds(graph.parameters, parameters),
        ...Object.fromEntries([...graph.teacher].map(([output, input]) => [input, wanted[output]!])),
        ...(graph.target && target ? { [graph.target.name]: target } : {}),
      });
      loss += (results[graph.loss]!.data as Float32Array)[0]!;
      graph.terms.forEach((name, i) => (terms[i] = terms[i]! + (results[name]!.data as Float32Array)[0]!));
      graph.parameters.forEach((parameter, i) => {
        add(gradients, results[graph.gradients[i]!]!.data as Float32Array, parameter, index === 0);
      });
    }
    return { loss, terms };
  }

  /** Outputs of the model as it stands, in simulation. */
  async forward(
    parameters: Float32Array,
    feeds: Readonly<Record<string, TensorValue>>,
    fetch?: readonly string[],
  ): Promise<Record<string, TensorValue>> {
    const { forward, graph, threads } = this.#spec;
    this.#forward ??= await openSession(forward, { ...trainingOptions, threads }, 'the fake-quantized model');
    return this.#forward.run({ ...feeds, ...parameterFeeds(graph.parameters, parameters) }, fetch);
  }

  /** Outputs of the float teacher. */
  async teach(
    feeds: Readonly<Record<string, TensorValue>>,
    fetch?: readonly string[],
  ): Promise<Record<string, TensorValue>> {
    const { teacher, threads } = this.#spec;
    this.#teacher ??= await openSession(
      teacher!,
      { threads, memoryPattern: false, extra: { 'intra_op.allow_spinning': '0' } },
      'the teacher',
    );
    return this.#teacher.run(feeds, fetch);
  }

  async dispose(): Promise<void> {
    for (const session of [this.#training, this.#forward, this.#teacher]) await session?.dispose();
  }
}

function add(sum: Float32Array, part: Float32Array, { offset, length }: Parameter, first: boolean): void {
  if (first) sum.set(part, offset);
  else for (let i = 0; i < length; i++) sum[offset + i] = sum[offset + i]! + part[i]!;
}
