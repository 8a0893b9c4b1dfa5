/**
 * The set of files that a runtime picks from by name: made of one float model, each loaded, run and compared with it. A variant
 * that a model cannot have (4-bit blocks without matrices) is told with its reason; the others are made all the same.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, parse } from 'node:path';
import { paretoFront } from '../../compare/statistics.ts';
import type { Report } from '../../compare/report.ts';
import { agreementsOf } from '../../compare/gate-accuracy.ts';
import { withDefaults } from '../../settings/library.ts';
import { QdqError } from '../../errors/qdq-error.ts';
import { onnxErrors } from '../../errors/onnx.ts';
import { modelFromProto } from '../../graph/from-proto.ts';
import { onInterrupt } from '../../process/interrupt.ts';
import { isSameFile } from '../../onnx/file.ts';
import { loadModel, saveModel } from '../../onnx/model-file.ts';
import type { QuantizeOptions, VariantsOptions } from '../../settings/options.ts';
import { compareFiles } from '../compare/compare.ts';
import { checkPlaces } from '../places.ts';
import { quantizeModel } from '../quantize/quantize.ts';
import { variantSets, type VariantSettings } from './sets.ts';

/** Where no samples are given. */
const generatedSamples = 32;

export interface VariantRow {
  /** As the runtime calls it: q4f16. */
  readonly dtype: string;
  /** Absent when it was not made. */
  readonly path?: string;
  readonly bytes?: number;
  /** Bytes of the float model over those of this one. */
  readonly ratio?: number;
  /** The lowest of all outputs, in decibels. */
  readonly sqnrDb?: number;
  /** Of the largest element along the classes, where there are classes, and of texts; the lowest. */
  readonly agreement?: number | null;
  readonly speedup?: number;
  /** No other variant is at least as small, as fast and as close to the float model, and better in one of these. */
  readonly pareto?: boolean;
  /** Why it was not made. */
  readonly reason?: string;
}

export interface VariantsResult {
  readonly output: string;
  readonly variants: readonly VariantRow[];
}

/** @throws QdqError for a model that cannot be read and a folder that cannot be written; what one variant meets is in its row */
export async function makeVariants(options: VariantsOptions): Promise<VariantsResult> {
  const { model, output } = options;
  const file = loadModel(model);
  const operators = new Set([...modelFromProto(file.proto, file.dir).allNodes()].map(({ opType }) => opType));
  const stem = parse(model).name;
  const place = join(output, `${stem}.onnx`);
  const steps = variantSets[options.for](operators);
  const isModel = isSameFile(place, model);
  const written = [...steps.map(({ suffix }) => join(output, `${stem}${suffix}.onnx`)), ...(isModel ? [] : [place])];
  checkPlaces(options, [
    { flag: '--output', path: output, kind: 'folder' },
    ...written.flatMap((path) =>
      [path, `${path}.data`].map((each) => ({ flag: '--output', path: each, kind: 'file' as const, derived: true })),
    ),
  ]);
  makeFolder(output);
  const variants: VariantRow[] = [];
  if (!isModel) {
    const saved = saveModel(file.proto, place, { sourceDir: file.dir, inputs: [file.path] });
    variants.push({ dtype: 'fp32', path: saved.path, bytes: saved.byteLength, ratio: 1 });
  }
  for (const { dtype, suffix, steps: own } of steps) {
    variants.push({ dtype, ...(await make(options, own, join(output, `${stem}${suffix}.onnx`))) });
  }
  file.close();
  return { output, variants: withFront(variants) };
}

/** The float model is what all are compared with: exact, and of speed 1. */
function withFront(rows: readonly VariantRow[]): VariantRow[] {
  const made = rows.filter(({ path }) => path !== undefined);
  const front = paretoFront(
    made.map(({ dtype, ratio, sqnrDb, speedup }) =>
      dtype === 'fp32' ? [ratio, Infinity, 1] : [ratio, sqnrDb, speedup],
    ),
  );
  return rows.map((row) => (row.path === undefined ? row : { ...row, pareto: front[made.indexOf(row)]! }));
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw onnxErrors.unwritable(path, error);
  }
}

async function make(
  options: VariantsOptions,
  steps: readonly VariantSettings[],
  output: string,
): Promise<Omit<VariantRow, 'dtype'>> {
  const folder = mkdtempSync(join(options.output, '.qdq-'));
  let unfinished: string[] = [];
  const remove = (): void => {
    for (const path of [folder, ...unfinished]) rmSync(path, { recursive: true, force: true });
  };
  const release = onInterrupt(remove);
  try {
    let from = options.model;
    for (const [index, step] of steps.slice(0, -1).entries()) {
      const to = join(folder, `${index}.onnx`);
      await quantizeModel(settingsOf(options, from, to, step, false));
      from = to;
    }
    const last = settingsOf(options, from, output, steps.at(-1)!, steps.length === 1 ? undefined : false);
    const { report } = await quantizeModel(last);
    unfinished = [output, `${output}.data`];
    const made = { path: output, ...figures(report ?? (await compared(options, output))) };
    unfinished = [];
    return made;
  } catch (error) {
    if (!(error instanceof QdqError)) throw error;
    return { reason: error.message };
  } finally {
    remove();
    release();
  }
}

function settingsOf(
  { for: _for, ...options }: VariantsOptions,
  model: string,
  output: string,
  step: VariantSettings,
  report: false | undefined,
): QuantizeOptions {
  const settings = { ...options, ...step, model, output, layers: false, ...(report === false && { report }) };
  return withDefaults('quantizeModel', settings);
}

function figures({ cost, ...report }: Report): Omit<VariantRow, 'dtype'> {
  const { outputs } = report;
  const agreements = agreementsOf(report).map(({ value }) => value);
  return {
    bytes: cost.bytesQuant,
    ratio: cost.ratio,
    ...(outputs.length > 0 && { sqnrDb: Math.min(...outputs.map(({ sqnrDb }) => sqnrDb)) }),
    agreement: agreements.length === 0 ? null : Math.min(...agreements),
    ...(cost.latencyMs && { speedup: cost.latencyMs.speedup }),
  };
}

/** A variant of several steps is compared with the float model, not with what its last step was made of. */
async function compared(
  { for: _for, output: _output, opset: _opset, ...options }: VariantsOptions,
  quant: string,
): Promise<Report> {
  const given = options.data ?? options.reader ?? options.eval;
  const samples = given === undefined ? { samples: generatedSamples } : {};
  const path = options.eval === undefined ? {} : { data: options.eval };
  const settings = { ...options, ...samples, ...path, float: options.model, quant, layers: false };
  return (await compareFiles(withDefaults('compareModels', settings))).report;
}
