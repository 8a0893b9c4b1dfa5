/**
 * Float model + samples → what each layer costs in int8, and the shortest list to leave float that meets a bound, proven on a
 * model that was really quantized without it.
 */
import { openSession, type Session } from '../../backends/session.ts';
import { rangesOf } from '../../calibrate/state.ts';
import { evaluate } from '../../compare/evaluate.ts';
import { parseGate, type Gate } from '../../compare/gates.ts';
import { pairTensors } from '../../compare/layers/pairing.ts';
import {
  checkSensitivityGate,
  holdsAbsolute,
  measureSensitivity,
  valueOf,
  type Remaining,
} from '../../compare/layers/sensitivity.ts';
import { openToRun } from '../../compare/models.ts';
import { readReport, writeReport } from '../../compare/report-file.ts';
import type { Sensitivity } from '../../compare/report.ts';
import type { Selection } from '../../data/sample.ts';
import { QdqError } from '../../errors/qdq-error.ts';
import type { Model } from '../../graph/model.ts';
import type { Interval } from '../../ops/op.ts';
import type { SensitivityOptions } from '../../settings/options.ts';
import type { SensitivityResult } from '../results.ts';
import { observedTensors } from '../../quantizable/plan.ts';
import type { PlanRequest } from '../../quantizable/planner.ts';
import { resolveScheme } from '../../quantizable/scheme.ts';
import { configureFormat } from '../../quantized/formats/index.ts';
import { writeProvenance } from '../../quantized/provenance.ts';
import { checkPlaces } from '../places.ts';
import { settle, splitSamples, type SamplePlan, type Samples } from '../samples/samples.ts';
import { chosenTarget, judgedExactly, schemeRequest } from '../scheme.ts';
import { inputsOf, openFused, survivors, type FusedSource } from '../source/source.ts';
import { observeTensors } from '../calibrate/ranges.ts';
import { opsetsFor, type OpsetSettings } from '../source/upgrade.ts';

/** Enough for the order of the layers to settle; all of them are held in memory. */
const usualSamples = 64;
/** Layers added to a list that the real kernels find too short. */
const mostAdded = 8;

/** @throws SENSITIVITY_*, GATE_* and what the stages of `quantizeModel` throw */
export async function sensitivityOf(options: SensitivityOptions): Promise<SensitivityResult> {
  checkPlaces(options);
  const gate = parseGate(options.until ?? 'output.sqnr >= 0');
  checkSensitivityGate(gate);
  const report = options.into === undefined ? undefined : readReport(options.into);
  const given = options.int8 === undefined ? undefined : openToRun(options.int8).model;
  const int8 = quantizer(options);
  const source = await openFused(
    options.model,
    options,
    given ? { opset: Math.max(int8.leastOpset, given.opset) } : int8.opsets,
  );
  const samples = await settle(await splitSamples(options, inputsOf(source.model)));
  for (const warning of samples.warnings) options.onWarning?.(warning);
  const { dataset } = samples.evaluation;
  const selection = atMost(samples.evaluation.selection, usualSamples);
  const search = options.until !== undefined;
  const make = !given || search ? await int8.prepare(source, samples) : undefined;
  const quant = given ?? (await make!([]));
  const forms = { plain: source.model, fused: source.model };
  const { reached: _simulated, ...found } = await measureSensitivity({
    pairing: pairTensors(forms, { plain: quant, fused: quant }, source.file.sha256()),
    dataset,
    selection,
    batchSize: options.batch,
    threads: options.threads,
    gate,
    search,
    measure: options.measure ?? Infinity,
    ...(!given && { without: int8.without(source) }),
    onFallback: (told) => options.onWarning?.(told),
    onProgress: (done, total) =>
      options.onProgress?.({ stage: 'measuring layers', done, ...(total !== undefined && { total }), unit: 'figures' }),
  });
  const sensitivity: Sensitivity =
    search && found.exclude
      ? { ...found, ...(await prove(found.exclude, found, gate, make!, source, { dataset, selection }, options)) }
      : found;
  if (report && options.into !== undefined) writeReport(options.into, { ...report, sensitivity });
  return {
    sensitivity,
    warnings: samples.warnings,
    ...(options.into === undefined ? {} : { reportPath: options.into }),
  };
}

/** How this command's flags quantize: as `quantizeModel` does in its usual format. */
function quantizer(options: SensitivityOptions): {
  readonly leastOpset: number;
  readonly opsets: OpsetSettings;
  prepare(source: FusedSource, samples: SamplePlan): Promise<(exclude: readonly string[]) => Promise<Model>>;
  without(source: FusedSource): (exclude: readonly string[]) => Remaining;
} {
  const target = chosenTarget(options.target);
  const scheme = resolveScheme(target, schemeRequest(options));
  const form = configureFormat('qdq', scheme, {});
  const leastOpset = Math.max(form.leastOpset, target.opset.least);
  const requestOf = ({ log }: FusedSource, exclude: readonly string[]): PlanRequest => ({
    ...{ target, scheme, include: options.include, fused: survivors(log) },
    exclude: [...options.exclude, ...exclude],
  });
  return {
    leastOpset,
    opsets: opsetsFor(options.opset, leastOpset, target.fusedOpset),
    async prepare(source, { calibration }) {
      const { file, model } = source;
      const ranges = new Map<string, Interval>();
      /** A shorter list of layers may want ranges that the whole one did not: what follows from its operator is then read from float. */
      const observe = async (tensors: readonly string[]): Promise<void> => {
        if (tensors.length === 0) return;
        const state = await observeTensors(options, source, tensors, calibration);
        for (const [tensor, range] of rangesOf(state)) ranges.set(tensor, range);
      };
      return async (exclude) => {
        const request = requestOf(source, exclude);
        const wanted = form.plan(model, request);
        await observe(observedTensors(wanted).filter((tensor) => !ranges.has(tensor)));
        const made = form.emit(model, form.refine(model, request, wanted, ranges), ranges);
        writeProvenance(made.model, { source: file.sha256(), tensors: made.origins });
        return made.model;
      };
    },
    without: (source) => (exclude) => {
      const { regions } = form.plan(source.model, { ...requestOf(source, exclude), mayBeEmpty: true });
      const writing = regions.filter(({ quantizedOutput }) => quantizedOutput);
      return { int8: new Set(regions.map(({ node }) => node)), writing: new Set(writing.map(({ node }) => node)) };
    },
  };
}

/** Quantizes without the list and measures on the real kernels; the list grows while that does not do. */
async function prove(
  exclude: readonly string[],
  { layers }: Pick<Sensitivity, 'layers'>,
  gate: Gate,
  make: (exclude: readonly string[]) => Promise<Model>,
  { model }: FusedSource,
  { dataset, selection }: Samples,
  options: SensitivityOptions,
): Promise<Pick<Sensitivity, 'exclude' | 'until'>> {
  const float = await openSession(model, { threads: options.threads }, `'${options.model}'`);
  try {
    const list = [...exclude];
    const more = layers.map(({ node }) => node).filter((node) => !list.includes(node));
    for (let added = 0; ; added++) {
      const everything = more.length === 0;
      // Nodes that only follow others may be left when nothing is in int8 any more.
      const int8 = await make(list).catch((error: unknown) => {
        if (error instanceof QdqError && error.code === 'PLAN_NOTHING') return undefined;
        throw error;
      });
      const value = int8 ? await measured(float, int8) : NaN;
      const pass = holdsAbsolute(gate, value);
      if (pass || everything || !int8 || added >= mostAdded) {
        return { exclude: list, until: { gate: gate.id, value, pass } };
      }
      list.push(more.shift()!);
    }
  } finally {
    await float.dispose();
  }

  async function measured(floatSession: Session, int8: Model): Promise<number> {
    const { target, threads, batch } = options;
    const settings = { threads, exactInt8: judgedExactly(chosenTarget(target)) };
    const session = await openSession(int8, settings, `the int8 form of '${options.model}'`);
    try {
      const quant = { name: 'the int8 model', session };
      const reference = { name: `'${options.model}'`, session: floatSession };
      return valueOf(gate, await evaluate({ float: reference, quant, dataset, selection, batchSize: batch }));
    } finally {
      await session.dispose();
    }
  }
}

function atMost(selection: Selection, samples: number): Selection {
  if (!('from' in selection)) return selection.slice(0, samples);
  return { from: selection.from, to: Math.min(selection.to ?? Infinity, selection.from + samples) };
}
