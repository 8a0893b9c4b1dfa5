/**
 * Why int8 went wrong, read from the errors of the tensors, worst first, each with what to try. The bounds follow from the
 * arithmetic: rounding alone errs by at most half a step, so a quantizer whose error is above 0.5 steps clips, whatever else it
 * does; 20 dB is noise of one per cent of the signal's power, which a healthy 8-bit quantizer stays far below.
 */
import type { CauseRow, TensorRow } from '../report-details.ts';

export interface CauseContext {
  /** How ranges were found, where the model says so: "minmax over 100 samples". */
  readonly calibration: string | undefined;
  /** Int8 products of the model may have saturated on this CPU. */
  readonly saturated: boolean;
}

const sickBelow = 20;
const mostRounding = 0.5;
/** A channel this much below the largest has lost three of its eight bits to it. */
const wideSpread = 8;
const sickChannel = 10;
/** Beyond what 99.9 % of the elements need; a normal distribution has 1.5 in a million elements. */
const outlying = 3;
const inheritedGap = 10;
const most = 5;

export function findCauses(tensors: readonly TensorRow[], context: CauseContext): CauseRow[] {
  const local = tensors.flatMap((row) => localCause(row, context) ?? []);
  local.sort((a, b) => a.harm - b.harm);
  const causes = local.slice(0, most).map(({ cause }) => cause);
  const inherited = inheritedCause(tensors, context);
  return inherited && causes.length < most ? [...causes, inherited] : causes;
}

interface Local {
  /** In dB: less is worse. */
  readonly harm: number;
  readonly cause: CauseRow;
}

function localCause(row: TensorRow, context: CauseContext): Local | undefined {
  const { isolated, range } = row;
  if (!isolated || !range) return undefined;
  const { sqnrDb, rmseOverScale, saturatedPct } = isolated;
  const told = (cause: CauseRow['cause'], text: string, tryFlag: string, harm = sqnrDb): Local => ({
    harm,
    cause: { tensor: row.origin ?? row.name, node: row.node, op: row.op, cause, text, tryFlag },
  });
  const itself = `${decibels(sqnrDb)} by itself`;
  if (rmseOverScale > mostRounding && saturatedPct > 0 && sqnrDb < sickBelow + inheritedGap) {
    const times = reach(range);
    const text = `${itself} and rmse/scale ${show(rmseOverScale)} (ideal 0.29): ${show(saturatedPct)}% of its values are clipped, its range is ${show(times)} times what the codes can say`;
    return told('clipping', text, clippingFlag(row, times, context));
  }
  const { channels, kind, axis } = row;
  const weakest = Math.min(Infinity, ...(channels?.shown.map((channel) => channel.sqnrDb ?? Infinity) ?? []));
  if (kind === 'weight' && axis === undefined && channels && channels.spread > wideSpread && weakest < sickChannel) {
    const text = `its channels differ ${show(channels.spread)} times in size but share one scale: the smallest keep ${decibels(weakest)}`;
    return told('weight channel spread', text, '--no-per-tensor', Math.min(sqnrDb, weakest + inheritedGap));
  }
  if (!(sqnrDb < sickBelow)) return undefined;
  const extent = Math.max(Math.abs(range.min), Math.abs(range.max));
  const typical = Math.max(Math.abs(range.p01 ?? range.min), Math.abs(range.p999 ?? range.max));
  if (kind === 'activation' && extent > outlying * typical) {
    const text = `${itself}: a few values reach ${show(extent)} where 99.8% stay within ${show(typical)}, and the steps are as wide as they need`;
    return told('outliers', text, '--observer mse');
  }
  const clip = Math.max(Math.abs(range.clipMin ?? 0), Math.abs(range.clipMax ?? 0));
  const text = `${itself}: its codes reach ${show(clip)} but most of its values are far smaller, so few codes are used`;
  return told('range too wide', text, kind === 'activation' ? '--observer mse' : excluding(row));
}

/** How many times further than the codes the values reach. */
function reach({ min, max, clipMin = 0, clipMax = 0 }: NonNullable<TensorRow['range']>): number {
  const over = (value: number, limit: number): number => (value <= 0 ? 0 : limit <= 0 ? Infinity : value / limit);
  const sides = [over(max, clipMax), over(-min, -clipMin)].filter(Number.isFinite);
  return Math.max(1, ...sides);
}

function clippingFlag(row: TensorRow, times: number, { calibration }: CauseContext): string {
  if (row.kind === 'weight') return excluding(row);
  const observer = /^(\w+) over /.exec(calibration ?? '')?.[1];
  if (observer !== undefined && observer !== 'minmax') return '--observer minmax';
  // Samples that were not calibrated on reach a little further, not several times.
  return times < 2 ? '--samples 500' : excluding(row);
}

function excluding({ node }: TensorRow): string {
  return `--exclude '${node}'`;
}

/** The tensor that suffers most from what happened before it. */
function inheritedCause(tensors: readonly TensorRow[], { saturated }: CauseContext): CauseRow | undefined {
  let worst: TensorRow | undefined;
  for (const row of tensors) {
    const { isolated, accumulated } = row;
    if (!isolated || !accumulated || !(accumulated.sqnrDb < sickBelow)) continue;
    if (isolated.sqnrDb - accumulated.sqnrDb < inheritedGap) continue;
    if (!worst || accumulated.sqnrDb < worst.accumulated!.sqnrDb) worst = row;
  }
  if (!worst) return undefined;
  const before = tensors.slice(0, tensors.indexOf(worst)).filter(({ isolated }) => isolated);
  const source = before.reduce<TensorRow | undefined>(
    (least, row) => (!least || row.isolated!.sqnrDb < least.isolated!.sqnrDb ? row : least),
    undefined,
  );
  const head = `${decibels(worst.accumulated!.sqnrDb)}, but ${decibels(worst.isolated!.sqnrDb)} by itself`;
  const where = { tensor: worst.origin ?? worst.name, node: worst.node, op: worst.op };
  if (saturated) {
    const text = `${head}: this CPU saturates u8 × s8 products`;
    return { ...where, cause: 'saturating products', text, tryFlag: '--reduce-range' };
  }
  const from = source
    ? `; the worst quantizer before it is '${source.origin ?? source.name}' with ${decibels(source.isolated!.sqnrDb)}`
    : '';
  const text = `${head}: the error comes from before${from}`;
  return { ...where, cause: 'inherited', text, ...(source && { tryFlag: excluding(source) }) };
}

function decibels(value: number): string {
  return `${Number.isFinite(value) ? value.toFixed(1) : value > 0 ? 'inf' : '-inf'} dB`;
}

function show(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : 'infinitely many';
}
