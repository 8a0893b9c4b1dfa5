/** What the normalizations share: x̂ = (x − mean) · rstd over some axes, and the gradient through it. */
import type { Emitter } from '../../graph/emitter.ts';
import type { Value } from '../../graph/value.ts';

export interface Normalized {
  readonly normal: Value;
  /** 1 / √(variance + epsilon), with axes of one element. */
  readonly rstd: Value;
  readonly axes: readonly number[];
  /** Elements that one mean is made of. */
  readonly count: number;
}

/** @param epsilon added to the variance */
export function normalize(
  emit: Emitter,
  x: Value,
  axes: readonly number[],
  count: number,
  epsilon: number,
): Normalized & { readonly mean: Value; readonly variance: Value } {
  const mean = emit.mean(x, axes, count);
  const centred = emit.op('Sub', [x, mean]);
  const variance = emit.mean(emit.op('Mul', [centred, centred]), axes, count);
  const deviation = emit.op('Sqrt', [emit.op('Add', [variance, emit.scalar(epsilon)])]);
  const rstd = emit.op('Reciprocal', [deviation]);
  return { normal: emit.op('Mul', [centred, rstd]), rstd, axes, count, mean, variance };
}

/** dx = rstd · (dn − mean(dn) − x̂ · mean(dn·x̂)). @param dn the gradient of x̂ */
export function throughNormal(emit: Emitter, dn: Value, { normal, rstd, axes, count }: Normalized): Value {
  const level = emit.mean(dn, axes, count);
  return emit.op('Mul', [
    rstd,
    emit.op('Sub', [emit.op('Sub', [dn, level]), alongNormal(emit, dn, normal, axes, count)]),
  ]);
}

/** x̂ · mean(dn·x̂): what of dn only scales x̂, which its norm takes out again. */
export function alongNormal(emit: Emitter, dn: Value, normal: Value, axes: readonly number[], count: number): Value {
  return emit.op('Mul', [normal, emit.mean(emit.op('Mul', [dn, normal]), axes, count)]);
}
