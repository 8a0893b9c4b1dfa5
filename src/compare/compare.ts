/**
 * Float model, quantized model and samples → Report. The one entry of the room; the other files are its steps.
 *
 * What is reported is what really runs: placement is read from the graph that onnxruntime itself optimized, latency is measured in turns,
 * the profiler runs in sessions of its own, and tensors leave the int8 model as the codes of its real kernels, not of a simulation.
 */
import { release } from 'node:os';
import { cpuInfo } from '../backends/cpu.ts';
import { withFloat32Ports } from '../backends/other-forms.ts';
import { openSession, type Session } from '../backends/session.ts';
import { loadRuntime } from '../backends/runtime.ts';
import type { Dataset, Selection } from '../data/sample.ts';
import { recordSkipped, summarizeSkipped } from '../data/skip-bad.ts';
import { version } from '../process/version.ts';
import { evaluate } from './evaluate.ts';
import { type NamedSession, openToRun, type OpenedModel } from './models.ts';
import { warningsOf } from './warnings.ts';
import { checkGates, parseGate } from './gates.ts';
import { judge, type BaselineSource } from './verdict.ts';
import type { TaskEvaluator } from './metrics/metric.ts';
import { findCauses } from './layers/causes.ts';
import { measureLayers, type Layers } from './layers/measure.ts';
import { pairTensors, type Forms } from './layers/pairing.ts';
import { findPlacement, type LeftFloat } from './placement.ts';
import { reportSchemaVersion, type Report } from './report.ts';
import { canSaturate, lacksVnni } from './saturation.ts';
import { timeModels } from './latency.ts';

export type { BaselineSource } from './verdict.ts';

export interface CompareOptions {
  readonly floatPath: string;
  readonly quantPath: string;
  /** Samples of the evaluation, preprocessed for the float model. */
  readonly dataset: Dataset;
  readonly selection: Selection;
  /** Samples per run where the models' batch dimension is free. */
  readonly batchSize?: number | undefined;
  /** Intra-op threads of onnxruntime, for outputs and latency alike. */
  readonly threads: number;
  /** `METRIC OP VALUE` each; see gates.ts. */
  readonly gates: readonly string[];
  /** What relative gates compare with. */
  readonly baseline?: BaselineSource | undefined;
  /** The command line, for the report. */
  readonly command: string;
  /** The samples the quantized model was calibrated on. */
  readonly calibration?: Report['data']['calibration'];
  /** How the quantized model was made. */
  readonly recipe?: Report['recipe'];
  readonly improvements?: Report['improvements'];
  /** Nodes that were left float on purpose. */
  readonly leftFloat?: LeftFloat;
  /** What was noticed while the quantized model was made, one line each. */
  readonly warnings?: readonly string[];
  /** Compute outputs as CPUs with VNNI do (session.x64quantprecision). Latency is measured without it. */
  readonly exactInt8?: boolean;
  readonly skipLatency?: boolean;
  /** Tasks to evaluate besides labels. */
  readonly evaluators?: readonly TaskEvaluator[] | undefined;
  /** Measure latency by operator too, in sessions of its own. */
  readonly profile?: boolean;
  /** Compare tensor by tensor: forms of the two models, and on how many of the samples. */
  readonly layers?:
    | { readonly float: Pick<Forms, 'fused'>; readonly quant?: Forms; readonly samples: number }
    | undefined;
  /** Milliseconds for the measured runs; default 1500. */
  readonly latencyBudgetMs?: number;
  /** `total` is undefined for a stream. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  /** The same while layers are compared. */
  readonly onLayers?: (done: number, total: number | undefined) => void;
}

/**
 * Compares the two models.
 * @throws GATE_* usage errors before anything runs where possible, COMPARE_* when the models do not pair, and the errors of
 * the model files, the data and onnxruntime
 */
export async function compareModels(options: CompareOptions): Promise<Report> {
  const { dataset, selection, threads, exactInt8 = false, skipLatency = false } = options;
  const gates = options.gates.map(parseGate);
  // A stream may carry labels that nobody has seen yet.
  checkGates(gates, {
    labels: dataset.labelled || dataset.count === undefined,
    latency: !skipLatency,
    layers: options.layers !== undefined,
    baseline: options.baseline !== undefined,
  });
  const floatModel = openToRun(options.floatPath);
  const quantModel = openToRun(options.quantPath);
  const sessions: Session[] = [];
  const open = async (model: OpenedModel, path: string, exact: boolean): Promise<NamedSession> => {
    const opened = await openSession(model.source, { level: 'all', threads, exactInt8: exact }, path);
    const session = withFloat32Ports(opened);
    sessions.push(session);
    return { name: path, session };
  };
  try {
    const float = await open(floatModel, options.floatPath, false);
    const quant = await open(quantModel, options.quantPath, exactInt8);
    const { batchSize, evaluators, onProgress } = options;
    const evaluation = await evaluate({ float, quant, dataset, selection, batchSize, evaluators, onProgress });
    const { placement, nodes, quantizedAnyway } = await findPlacement(
      quantModel.model,
      quantModel.source,
      options.quantPath,
      options.leftFloat,
    );
    const timedQuant = exactInt8 && !skipLatency ? await open(quantModel, options.quantPath, false) : quant;
    const { latencyMs, profile } = await timeModels({
      float: { ...float, model: floatModel },
      quant: { ...timedQuant, model: quantModel },
      dataset,
      selection,
      threads,
      latency: !skipLatency,
      profile: options.profile ?? false,
      budgetMs: options.latencyBudgetMs,
    });
    const models = { float: floatModel.facts(float.session.inputs), quant: quantModel.facts(quant.session.inputs) };
    const cpu = cpuInfo();
    const cost = {
      bytesFloat: models.float.bytes,
      bytesQuant: models.quant.bytes,
      ratio: models.float.bytes / models.quant.bytes,
      ...(latencyMs === undefined ? {} : { latencyMs }),
    };
    const data = dataOf(options, evaluation.n, evaluation.labelled);
    const saturated = !exactInt8 && lacksVnni(cpu) && canSaturate(quantModel.model);
    const found = warningsOf({ evaluation, data, placement, nodes, quantizedAnyway, cost, cpu, saturated });
    const retreats = new Set<string>();
    const onFallback = (told: string): unknown => retreats.add(told);
    const inside =
      options.layers && (await lookInside(options.layers, floatModel, quantModel, models, { ...options, onFallback }));
    const made = [...(options.warnings ?? []), ...formNotes(float)].map((message) => ({ code: 'MADE', message }));
    const warnings = [...made, ...found, ...[...retreats].map((message) => ({ code: 'OPTIMIZER', message }))];
    const { task, outputs, texts, classes = [], confusion } = evaluation;
    return {
      schema: reportSchemaVersion,
      tool: { name: 'qdq', version },
      created: new Date().toISOString(),
      command: options.command,
      models,
      ...(options.recipe === undefined ? {} : { recipe: options.recipe }),
      ...(options.improvements?.length && { improvements: options.improvements }),
      environment: environmentOf(cpu, threads, exactInt8),
      data,
      ...judge(
        gates,
        { task, outputs, texts, nodes, placement, cost, warnings, models, data, tensors: inside?.tensors },
        options.baseline,
      ),
      task,
      outputs,
      ...(texts.length > 0 && { texts }),
      nodes,
      placement,
      cost,
      ...(profile === undefined ? {} : { profile }),
      ...inside,
      ...(classes.length > 0 && { classes }),
      ...(confusion && { confusion }),
      ...(inside && {
        causes: findCauses(inside.tensors, {
          calibration: quantModel.model.metadata.get('qdq.calibration'),
          saturated,
        }),
      }),
    };
  } finally {
    for (const session of sessions) await session.dispose();
  }
}

function formNotes({ name, session: { widened, turned } }: NamedSession): string[] {
  const types = widened?.join(' and ');
  const nodes = turned?.map((label) => `'${label}'`).join(', ');
  return [
    ...(types ? [`onnxruntime has no kernels here for '${name}' in ${types}: it was judged in float32`] : []),
    ...(nodes
      ? [
          `onnxruntime has no kernels for batch-first ${nodes} of '${name}': judged with Transposes around, equal in value`,
        ]
      : []),
  ];
}

/** Every tensor of the two models that can be paired, on the first of the samples. */
function lookInside(
  { float, quant, samples }: NonNullable<CompareOptions['layers']>,
  floatModel: OpenedModel,
  quantModel: OpenedModel,
  { float: { sha256 } }: Report['models'],
  options: CompareOptions & { readonly onFallback: (told: string) => void },
): Promise<Layers> {
  const plain = { plain: quantModel.model, fused: quantModel.model };
  const { dataset, selection, batchSize, threads, exactInt8 = false, onLayers, onFallback } = options;
  return measureLayers({
    pairing: pairTensors({ ...float, plain: floatModel.model }, quant ?? plain, sha256),
    names: { float: options.floatPath, quant: options.quantPath },
    dataset,
    selection: firstOf(selection, samples),
    batchSize,
    threads,
    exactInt8,
    onProgress: onLayers,
    onFallback,
  });
}

function firstOf(selection: Selection, samples: number): Selection {
  if (!('from' in selection)) return selection.slice(0, samples);
  const to = Math.min(selection.to ?? Infinity, selection.from + samples);
  return to === Infinity ? selection : { from: selection.from, to };
}

function dataOf({ dataset, selection, calibration }: CompareOptions, n: number, labelled: boolean): Report['data'] {
  const { source, format, synthetic } = dataset;
  const idsHash = dataset.idsHash(selection) ?? null;
  const skipped = summarizeSkipped(recordSkipped(dataset.skipped?.(selection) ?? []));
  const read = { n, idsHash, source, ...(skipped && { skipped }) };
  const evaluation = { ...read, format, labelled, preprocess: dataset.preprocess ?? null, synthetic };
  return { ...(calibration === undefined ? {} : { calibration }), evaluation };
}

/** Of all CPU features, those that decide which kernels run. */
const simd = /^(ssse3|sse4|avx|fma$|f16c|amx|asimd|neon|sve|i8mm|bf16)/;

function environmentOf(cpu: ReturnType<typeof cpuInfo>, threads: number, exactInt8: boolean): Report['environment'] {
  return {
    node: process.versions.node,
    ort: loadRuntime().env.versions.node ?? 'unknown',
    threads,
    exactInt8,
    cpu: cpu.model,
    arch: cpu.arch,
    features: cpu.features.filter((feature) => simd.test(feature)),
    os: `${process.platform} ${release()}`,
  };
}
