/** What renderers say alike: the verdict in words, the cost, a gate's figures, and which tensors to look at first. */
import type { CauseRow, GateRow, Improvement, Report, TaskRow, TensorRow, Training } from '../compare/report.ts';
import { bytes, digits, distinct, inUnit, milliseconds, percent, plural, points, shorten } from './format.ts';

/** The verdict in words, with what most likely went wrong. Holds names of the model: callers escape it. */
export function because(report: Report): string {
  const { verdict, gates, outputs, warnings } = report;
  const judged = gates.filter(({ level }) => level !== 'off');
  const missed = (wanted: string): number => judged.filter(({ pass, level }) => !pass && level === wanted).length;
  const [failed, warned] = [missed('error'), missed('warn')];
  const reasons: string[] = [];
  if (failed > 0) reasons.push(judged.length === 1 ? 'the gate failed' : `${failed} of ${judged.length} gates failed`);
  if (warned > 0) reasons.push(`${plural(warned, 'gate')} warned`);
  if (failed + warned === 0 && judged.length > 0)
    reasons.push(judged.length === 1 ? 'the gate passed' : `all ${judged.length} gates passed`);
  if (outputs.some(({ nonFinite }) => nonFinite > 0)) reasons.push('output is not finite');
  if (warnings.some(({ code }) => code === 'SLOWER')) reasons.push('slower than float');
  if (warnings.some(({ code }) => code === 'SYNTHETIC_DATA')) reasons.push('accuracy on synthetic data only');
  const cause = likelyCause(report);
  // What a tensor inherited began elsewhere.
  if (cause && cause.cause !== 'inherited') reasons.push(`likely ${cause.cause} at ${cause.node}`);
  if (reasons.length > 0) return reasons.join(', ');
  return verdict === 'pass' ? 'no gates set' : verdict;
}

export function modelNames({ models }: Report): [float: string, quant: string] {
  return [baseName(models.float.path), baseName(models.quant.path)];
}

function baseName(path: string): string {
  return path.split(/[\\/]/).at(-1) ?? path;
}

/** "44.7 MB -> 11.4 MB (3.92x smaller)" */
export function sizeWords({ cost }: Report, arrow = '->'): string {
  const ratio = cost.ratio >= 1 ? `${digits(cost.ratio, 3)}x smaller` : `${digits(1 / cost.ratio, 3)}x larger`;
  return `${bytes(cost.bytesFloat)} ${arrow} ${bytes(cost.bytesQuant)} (${ratio})`;
}

/** "18.1 ms -> 6.02 ms (3.01x faster, 2 threads)"; undefined where it was not measured. */
export function latencyWords({ cost, environment }: Report, arrow = '->'): string | undefined {
  if (!cost.latencyMs) return undefined;
  const { float, quant, speedup } = cost.latencyMs;
  const pace = speedup >= 1 ? `${digits(speedup, 3)}x faster` : `${digits(1 / speedup, 3)}x slower`;
  const threads = plural(environment.threads, 'thread');
  return `${milliseconds(float.p50)} ${arrow} ${milliseconds(quant.p50)} (${pace}, ${threads})`;
}

export interface GateWords {
  /** What it does to the verdict. */
  readonly status: 'ok' | 'FAIL' | 'warn' | 'off';
  /** The gate without its operator and bound. */
  readonly name: string;
  /** "<= 1.00%" */
  readonly bound: string;
  /** "1.31%", and where a confidence bound was judged "0.86%, at worst 1.31%". */
  readonly measured: string;
}

export function gateWords({ id, level, op, bound, value, judged, unit, pass }: GateRow): GateWords {
  const [shown, limit] = distinct(judged ?? value, bound, unit);
  const status = level === 'off' ? 'off' : pass ? 'ok' : level === 'warn' ? 'warn' : 'FAIL';
  const measured = judged === undefined ? shown : `${inUnit(value, unit)}, at worst ${shown}`;
  return { status, name: id.slice(0, id.lastIndexOf(` ${op} `)), bound: `${op} ${limit}`, measured };
}

/** How the figures of a task metric are written. */
export function taskFormats({ unit }: Pick<TaskRow, 'unit'>): {
  value: (value: number) => string;
  change: (value: number) => string;
} {
  return unit === 'fraction' ? { value: percent, change: points } : { value: three, change: signed };
}

const three = (value: number): string => digits(value, 3);
const signed = (value: number): string => (value > 0 ? `+${three(value)}` : three(value));

/** What people know a tensor by: its name in the float model, where it has one. */
export function tensorName({ name, origin }: TensorRow): string {
  return origin ?? name;
}

/** Tensors with an error of their own, the sickest first. What a quantizer does alone tells where the harm begins. */
export function worstTensors(tensors: readonly TensorRow[]): TensorRow[] {
  return tensors.filter(({ isolated }) => isolated !== undefined).sort((a, b) => ascending(own(a), own(b)));
}

const own = ({ isolated }: TensorRow): number => isolated!.sqnrDb;

/** NaN is the worst there is. */
export function ascending(a: number, b: number): number {
  return (Number.isNaN(a) ? -Infinity : a) < (Number.isNaN(b) ? -Infinity : b) ? -1 : a === b ? 0 : 1;
}

/** What most likely went wrong, with what to try next. */
export function likelyCause({ causes, verdict }: Report): CauseRow | undefined {
  return verdict === 'pass' ? undefined : causes?.[0];
}

/** How fine-tuning went: "400 steps, loss kl 0.31 to 0.02, top1 75.20% to 81.00%". The ends of the loss are means of a tenth. */
export function trainingWords({ steps, keptStep, endedEarly, loss, curve, evaluations, metric }: Training): string {
  const tenth = Math.max(1, Math.floor(curve.length / 10));
  const meanLoss = (points: Training['curve']): string =>
    digits(points.reduce((sum, point) => sum + point.loss, 0) / Math.max(1, points.length), 3);
  const unit = metric === 'sqnr' ? 'dB' : 'fraction';
  const [before, after] = [evaluations[0], evaluations.at(-1)];
  return [
    `${plural(steps, 'step')}${endedEarly ? ', ended early' : ''}${keptStep === steps ? '' : `, step ${keptStep} kept`}`,
    `loss ${loss} ${meanLoss(curve.slice(0, tenth))} to ${meanLoss(curve.slice(-tenth))}`,
    ...(metric !== undefined && evaluations.length > 1
      ? [`${metric} ${inUnit(before!.value, unit)} to ${inUnit(after!.value, unit)}`]
      : []),
  ].join(', ');
}

/** Outputs named in one line. */
const mostOutputs = 2;

/** What a correction did: "biases of 52 layers corrected: scores 47.4 dB to 51.2 dB on 21 samples that it had not seen". */
export function improvementWords({ kept, layers, samples, outputs }: Improvement): string {
  const each = outputs.slice(0, mostOutputs).map(({ name, before, after }) => {
    return `${shorten(name, 40)} ${inUnit(before, 'dB')} to ${inUnit(after, 'dB')}`;
  });
  const hidden = outputs.length - each.length;
  const what = `biases of ${plural(layers, 'layer')} ${kept ? 'corrected' : 'left as they are, a correction is not worth it'}`;
  return `${what}: ${each.join(', ')}${hidden > 0 ? ` and ${hidden} more` : ''} on ${plural(samples, 'sample')} that it had not seen`;
}

/** A condition that failed, as one line: "top1.drop <= 1.00%: 0.86%, at worst 1.31%". */
export function gateLine(row: GateRow): string {
  const { name, bound, measured } = gateWords(row);
  return `${name} ${bound}: measured ${measured}`;
}
