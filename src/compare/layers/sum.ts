/**
 * The hot loops of the comparison tensor by tensor: some five million elements per image. What is kept here was measured: a table
 * of what each code stands for instead of arithmetic, and no branches: the data decides them at random, and those that are hardly
 * ever taken make V8 (Node 20) give its optimized code up again and again. Ten times faster than the obvious loop.
 */
import type { Numbers } from '../metrics/metric.ts';
import { codeLimits, type Quantizer } from './quantizers.ts';

/** One scale of a quantizer. */
export interface Step {
  readonly scale: number;
  readonly zero: number;
  readonly qmin: number;
  readonly qmax: number;
  /** For types of 8 bits and fewer. */
  readonly table: Table | undefined;
}

/** By code − qmin + 1: one code more than there are at either end, since half a step beyond the last may round there. */
interface Table {
  readonly values: Float64Array;
  readonly isZero: Uint8Array;
}

export interface Found {
  readonly count: number;
  readonly saturated: number;
  readonly zeros: number;
  readonly signal: number;
  readonly noise: number;
  readonly error: number;
  readonly other: number;
  readonly min: number;
  readonly max: number;
  readonly worst: number;
}

/** 1.5 · 2^52: adding and subtracting it rounds to whole numbers, half to even. */
const shifter = 6755399441055744;

export function stepsOf(quantizer: Quantizer): Step[] {
  const { qmin, qmax } = codeLimits(quantizer);
  return Array.from(quantizer.scales, (scale, i) => {
    const zero = quantizer.zeroPoints[i]!;
    return { scale, zero, qmin, qmax, table: quantizer.bits > 8 ? undefined : tableOf(scale, zero, qmin, qmax) };
  });
}

function tableOf(scale: number, zero: number, qmin: number, qmax: number): Table {
  const length = qmax - qmin + 3;
  const values = new Float64Array(length);
  const isZero = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const code = Math.min(qmax, Math.max(qmin, qmin - 1 + i));
    values[i] = Math.fround((code - zero) * scale);
    isZero[i] = code === zero ? 1 : 0;
  }
  return { values, isZero };
}

/** Undefined when a value is not finite; see sum. */
export function sumByTable(
  x: Numbers,
  codes: ArrayLike<number>,
  start: number,
  end: number,
  { scale, zero, qmin, qmax }: Step,
  { values, isZero }: Table,
): Found | undefined {
  const [low, high] = [qmin - zero - 0.5, qmax - zero + 0.5];
  const offset = 1 - qmin;
  const own = zero + offset;
  let saturated = 0;
  let zeros = 0;
  let signal = 0;
  let noise = 0;
  let error = 0;
  let other = 0;
  let min = Infinity;
  let max = -Infinity;
  let worst = 0;
  for (let i = start; i < end; i++) {
    const value = x[i]!;
    const quotient = Math.fround(value / scale);
    const limited = Math.max(low, Math.min(high, quotient));
    saturated += limited === quotient ? 0 : 1;
    const index = (limited + shifter - shifter + own) | 0;
    zeros += isZero[index]!;
    const e = value - values[index]!;
    const y = values[codes[i]! + offset]!;
    const d = value - y;
    signal += value * value;
    noise += e * e;
    error += d * d;
    other += y * y;
    min = Math.min(min, value);
    max = Math.max(max, value);
    worst = Math.max(worst, Math.abs(d));
  }
  if (!Number.isFinite(signal)) return undefined;
  return { count: end - start, saturated, zeros, signal, noise, error, other, min, max, worst };
}

/** The same without a table, and for values of which some are not finite: those are left out. */
export function sum(
  x: Numbers,
  codes: ArrayLike<number>,
  start: number,
  end: number,
  { scale, zero, qmin, qmax }: Step,
): Found {
  let count = 0;
  let saturated = 0;
  let zeros = 0;
  let signal = 0;
  let noise = 0;
  let error = 0;
  let other = 0;
  let min = Infinity;
  let max = -Infinity;
  let worst = 0;
  for (let i = start; i < end; i++) {
    const value = x[i]!;
    const y = Math.fround((codes[i]! - zero) * scale);
    if (value - value !== 0) continue;
    const code = Math.fround(value / scale) + shifter - shifter + zero;
    const kept = code < qmin ? qmin : code > qmax ? qmax : code;
    saturated += kept === code ? 0 : 1;
    zeros += kept === zero ? 1 : 0;
    const e = value - Math.fround((kept - zero) * scale);
    const d = value - y;
    count++;
    signal += value * value;
    noise += e * e;
    error += d * d;
    other += y * y;
    min = Math.min(min, value);
    max = Math.max(max, value);
    worst = Math.max(worst, Math.abs(d));
  }
  return { count, saturated, zeros, signal, noise, error, other, min, max, worst };
}
