/**
 * Where gradients are computed: the training graph, the float teacher and the model as it stands, each in a session of its own.
 * One engine runs in each worker; parameters and gradients go in and out as flat arrays.
 */
import { type Session, openSession } from '../backends/session.ts';
import type { SessionOptions } from '../backends/session-options.ts';
import type { SerializedModel } from '../backends/serialized-model.ts';
import type { TensorValue } from '../onnx/data-types.ts';
import type { Parameter } from './parameters.ts';
import { parameterFeeds, type TrainingGraph } from './training-graph.ts';

/** Plain data, so that it can be sent to a worker. */
export interface EngineSpec {
  /** The training graphs, in the order in which they take over from each other; all have the same parameters. */
  readonly training: readonly SerializedModel[];
  readonly graphs: readonly Omit<TrainingGraph, 'model'>[];
  /** The parameters that the model itself has: those of training alone are folded into them. */
  readonly modelParameters: readonly Parameter[];
  /** The model with its parameters as inputs. */
  readonly forward: SerializedModel;
  /** Float; undefined when neither loss nor evaluation needs one. */
  readonly teacher: SerializedModel | undefined;
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

/** What a step gives beside gradients. */
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
  // The steps are the same to rounding, however little of the graph is optimized.
  onFallback: () => undefined,
};

/** The sessions of one worker. */
export class Engine {
  readonly #spec: EngineSpec;
  #training: { readonly phase: number; readonly session: Session } | undefined;
  #forward: Session | undefined;
  #teacher: Session | undefined;

  constructor(spec: EngineSpec) {
    this.#spec = spec;
  }

  /**
   * @param gradients is written: sums over the shards, in their order
   * @param phase which of the training graphs
   */
  async step(
    parameters: Float32Array,
    shards: readonly Shard[],
    gradients: Float32Array,
    phase = 0,
  ): Promise<StepResult> {
    const graph = this.#spec.graphs[phase]!;
    const training = await this.#trainingSession(phase);
    let loss = 0;
    const terms = graph.terms.map(() => 0);
    for (const [index, { feeds, target }] of shards.entries()) {
      const wanted = graph.teacher.size > 0 ? await this.teach(feeds, [...graph.teacher.keys()]) : {};
      const results = await training.run({
        ...feeds,
        ...parameterFeeds(graph.parameters, parameters),
        ...Object.fromEntries([...graph.teacher].map(([output, input]) => [input, wanted[output]!])),
        ...(graph.target && target ? { [graph.target.name]: target } : {}),
      });
      loss += (results[graph.loss]!.data as Float32Array)[0]!;
      graph.terms.forEach((name, i) => (terms[i] = terms[i]! + (results[name]!.data as Float32Array)[0]!));
      graph.parameters.forEach((parameter, i) => {
        const name = graph.gradients[i];
        if (name !== undefined) add(gradients, results[name]!.data as Float32Array, parameter, index === 0);
      });
    }
    return { loss, terms };
  }

  /** One at a time: a phase that is over does not come back. */
  async #trainingSession(phase: number): Promise<Session> {
    if (this.#training?.phase !== phase) {
      await this.#training?.session.dispose();
      const options = { ...trainingOptions, threads: this.#spec.threads };
      this.#training = {
        phase,
        session: await openSession(this.#spec.training[phase]!, options, 'the training graph'),
      };
    }
    return this.#training!.session;
  }

  /** Outputs of the model as it stands, in simulation. */
  async forward(
    parameters: Float32Array,
    feeds: Readonly<Record<string, TensorValue>>,
    fetch?: readonly string[],
  ): Promise<Record<string, TensorValue>> {
    const { forward, modelParameters, threads } = this.#spec;
    this.#forward ??= await openSession(forward, { ...trainingOptions, threads }, 'the fake-quantized model');
    return this.#forward.run({ ...feeds, ...parameterFeeds(modelParameters, parameters) }, fetch);
  }

  /** Outputs of the float teacher. */
  async teach(
    feeds: Readonly<Record<string, TensorValue>>,
    fetch?: readonly string[],
  ): Promise<Record<string, TensorValue>> {
    const { teacher, threads } = this.#spec;
    this.#teacher ??= await openSession(
      teacher!,
      { threads, memoryPattern: false, extra: { 'intra_op.allow_spinning': '0' }, onFallback: () => undefined },
      'the teacher',
    );
    return this.#teacher.run(feeds, fetch);
  }

  async dispose(): Promise<void> {
    for (const session of [this.#training?.session, this.#forward, this.#teacher]) await session?.dispose();
  }
}

function add(sum: Float32Array, part: Float32Array, { offset, length }: Parameter, first: boolean): void {
  if (first) sum.set(part, offset);
  else for (let i = 0; i < length; i++) sum[offset + i] = sum[offset + i]! + part[i]!;
}
