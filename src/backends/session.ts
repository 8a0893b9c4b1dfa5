/**
 * The one executor: onnxruntime-node behind a small interface. Tensors go in and come out as plain typed arrays; errors name the model.
 *
 * A model is opened serialized (serialized-model.ts), with less of the optimizer where that fails (session-options.ts), and in another form
 * where onnxruntime does not take it as it is (other-forms.ts); what comes back where outputs are preallocated is in output-memory.ts.
 */
import type * as Ort from 'onnxruntime-node';
import { backendErrors } from '../errors/backends.ts';
import type { InputInfo } from '../data/sample.ts';
import type { Executor, Model } from '../graph/model.ts';
import type { DataTypeName, TensorValue } from '../onnx/data-types.ts';
import { endMarkOf, endedAtMark, release } from './output-memory.ts';
import { type SessionOptions, withFallback } from './session-options.ts';
import { otherForm, tensorForm, type TensorForm } from './other-forms.ts';
import { fromOrt, loadRuntime, toInfo, toOrt } from './runtime.ts';
import { serializeModel, type SerializedModel } from './serialized-model.ts';

type Tensors = Readonly<Record<string, TensorValue>>;

/** A model that is open for running. */
export interface Session {
  readonly inputs: readonly InputInfo[];
  readonly outputs: readonly InputInfo[];
  /** Float types without kernels here: the model runs in float32 instead. */
  readonly widened?: readonly DataTypeName[];
  /** Recurrent nodes without kernels here, because they have the batch first: they run between Transposes instead. */
  readonly turned?: readonly string[];
  /** Outputs that are neither tensors nor can be read as such: they are not handed out. */
  readonly unread?: readonly string[];
  /**
   * Runs once. `fetch` names the outputs wanted (default all).
   * @param into outputs, by name, that are to be written into these arrays, of exactly these dimensions; not to be changed, but given
   * again as it is
   */
  run(feeds: Tensors, fetch?: readonly string[], into?: Tensors): Promise<Tensors>;
  dispose(): Promise<void>;
}

/**
 * Opens a model for running.
 * @param source a file path, or a model in memory, encoded or not
 * @param name how errors call the model; default the path
 */
export async function openSession(
  source: string | Model | SerializedModel,
  options: SessionOptions = {},
  name?: string,
): Promise<Session> {
  const label = name ?? (typeof source === 'string' ? `'${source}'` : 'the model');
  return withFallback((tried) => open(source, tried, label), options, label);
}

async function open(
  source: string | Model | SerializedModel,
  options: SessionOptions,
  label: string,
): Promise<Session> {
  const ort = loadRuntime();
  const config: Ort.InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    intraOpNumThreads: options.threads ?? 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: options.level ?? 'all',
    logSeverityLevel: 4,
    enableMemPattern: options.memoryPattern ?? true,
    ...(options.optimizedModelPath === undefined ? {} : { optimizedModelFilePath: options.optimizedModelPath }),
    ...(options.profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profile }),
  };
  const entries: Record<string, string> = { ...options.extra };
  if (options.simulate) entries['disable_quant_qdq'] = '1';
  if (options.exactInt8) entries['x64quantprecision'] = '1';
  const optimization = options.without && { optimization: { disable_specified_optimizers: options.without.join(';') } };
  const extra = { session: entries, ...optimization };
  let native: Ort.InferenceSession;
  try {
    if (typeof source === 'string') {
      native = await ort.InferenceSession.create(source, { ...config, extra });
    } else {
      const serialized = isSerialized(source) ? source : serializeModel(source, label);
      if (serialized.folder !== undefined) entries['model_external_initializers_file_folder_path'] = serialized.folder;
      native = await ort.InferenceSession.create(serialized.bytes, {
        ...config,
        extra,
        externalData: serialized.memory,
      });
      // onnxruntime has copied what it keeps.
      if (serialized !== source) release(serialized.own.map((data) => ({ data })));
    }
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'QdqError') throw cause;
    const twin = isSerialized(source) || options.asItIs ? undefined : otherForm(source);
    if (!twin) throw backendErrors.load(label, cause);
    const { model, ...how } = twin;
    return { ...(await openSession(model, options, label)), ...how };
  }
  const mark = endMarkOf(native.outputMetadata);
  const others = native.outputMetadata.flatMap((each) => (each.isTensor || each.name === mark ? [] : [each.name]));
  const looksInside = options.optimizedModelPath !== undefined || options.profile !== undefined;
  if (others.length > 0 && !isSerialized(source) && !options.asItIs && !looksInside) {
    await native.release();
    return openTensorForm(tensorForm(source, others), others, options, label);
  }
  const all = native.outputNames.filter((each) => each !== mark && !others.includes(each));
  /** Of arrays that come again, run after run, while they are the same. */
  const placesOf = new WeakMap<Tensors, Record<string, Ort.Tensor | null>>();
  const run = async (
    feeds: Tensors,
    places: readonly string[] | Record<string, Ort.Tensor | null>,
  ): Promise<Record<string, TensorValue>> => {
    const inputs: Record<string, Ort.Tensor> = {};
    for (const [key, value] of Object.entries(feeds)) inputs[key] = toOrt(ort, value);
    const results = await native.run(inputs, places);
    return Object.fromEntries(Object.entries(results).map(([key, tensor]) => [key, fromOrt(tensor as Ort.Tensor)]));
  };
  return {
    inputs: native.inputMetadata.map(toInfo),
    outputs: native.outputMetadata.filter((each) => all.includes(each.name)).map(toInfo),
    async run(feeds, fetch = all, into) {
      if (!into) return run(feeds, fetch).catch((cause: unknown) => Promise.reject(backendErrors.run(label, cause)));
      const inPlace = mark !== undefined && fetch.every((key) => into[key]);
      let places = inPlace ? placesOf.get(into) : undefined;
      if (!places) {
        places = inPlace ? { [mark]: null } : {};
        for (const key of fetch) places[key] = into[key] ? toOrt(ort, into[key]) : null;
        if (inPlace) placesOf.set(into, places);
      }
      try {
        const results = await run(feeds, places);
        // What comes back for a given array is a copy of it.
        const copies = Object.keys(results).filter((key) => into[key]);
        if (copies.length > 0) release(copies.map((key) => results[key]!));
        return { ...results, ...into };
      } catch (cause) {
        if (inPlace && endedAtMark(cause)) return into;
        throw backendErrors.run(label, cause);
      }
    },
    async dispose() {
      if (options.profile !== undefined) native.endProfiling();
      await native.release();
    },
  };
}

function isSerialized(source: string | Model | SerializedModel): source is SerializedModel {
  return typeof source !== 'string' && 'bytes' in source;
}

/** A session in which outputs that are no tensors go by their names, and give what the tensors that stand for them give. */
async function openTensorForm(
  { model, twins }: TensorForm,
  others: readonly string[],
  options: SessionOptions,
  label: string,
): Promise<Session> {
  const session = await openSession(model, { ...options, asItIs: true }, label);
  const names = new Map([...twins].map(([name, twin]) => [twin, name]));
  const shown = (name: string): string => names.get(name) ?? name;
  const outputs = session.outputs.map((each) => ({ ...each, name: shown(each.name) }));
  const all = outputs.map(({ name }) => name);
  return {
    ...session,
    outputs,
    unread: others.filter((name) => !twins.has(name)),
    async run(feeds, fetch = all) {
      const results = await session.run(
        feeds,
        fetch.map((name) => twins.get(name) ?? name),
      );
      return Object.fromEntries(Object.entries(results).map(([name, value]) => [shown(name), value]));
    },
  };
}

/** Runs graphs built by qdq itself (constant folding, probes), as they stand: no optimization. */
export function createExecutor(): Executor {
  return {
    async run(model, feeds) {
      const session = await openSession(model, { level: 'disabled', asItIs: true }, 'a graph built by qdq');
      try {
        return await session.run(feeds);
      } finally {
        await session.dispose();
      }
    },
  };
}
