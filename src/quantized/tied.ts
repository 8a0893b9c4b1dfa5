/**
 * Tied tables: a matrix of the model that holds the rows of a table from which embeddings are picked, be it the very constant, a
 * copy or its transpose. Codes of the matrix, with a scale per row, do for both. A product needs them so; a table alone would have a
 * scale per column, for the sake of a few that are far larger than the rest: where its rows lose by sharing, it keeps codes of its own.
 *
 * intrinsic/tied-tables makes a head's copy of its embeddings a Transpose of them, so that nothing is folded into one of the two. fp16 and
 * weight-only read through it (`keepsTied`); int8 formats get their constant back after the last round of fusing and find the table by
 * its content, here: Gather picks rows of the codes and of the scales, and the product reads a Transpose of the codes, which onnxruntime
 * computes when it loads the model.
 */
import type { Value } from '../graph/value.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { WeightLayout } from '../ops/op.ts';
import { holdsTransposed, isSeenIn } from '../ops/embedding.ts';
import { quantizeWeights, type WeightScales } from './weights.ts';

/** A weight that is to be written. */
export interface Written {
  readonly key: string;
  readonly value: Value;
  readonly layout: WeightLayout | undefined;
  /** Its scales as they would be by themselves. */
  how(): WeightScales;
}

/** How a table is written that matrices share. */
export interface Tie {
  /** By rows, as in the matrices. */
  readonly how: WeightScales;
  /** Keys of the matrices, and whether they are the transpose of the table. */
  readonly matrices: ReadonlyMap<string, { readonly turned: boolean }>;
}

/** Finds the tables that matrices share, by key of the table. */
export function tiesOf(weights: readonly Written[]): Map<string, Tie> {
  const ties = new Map<string, Tie>();
  for (const table of weights) {
    const tie = table.layout === 'table' ? tieOf(table, weights) : undefined;
    if (tie) ties.set(table.key, tie);
  }
  return ties;
}

function tieOf({ value, how: own }: Written, weights: readonly Written[]): Tie | undefined {
  const table = value.constant!;
  const alike = weights.filter((each) => fits(table, each) && isSeenIn(value.graph, each.value.graph));
  if (alike.length === 0) return undefined;
  const same = alike.filter((each) => holds(table, each.value.constant!, each.layout === 'columns'));
  const leader = same[0]?.how();
  if (!leader || leader.type !== own().type || !leader.type.endsWith('int8')) return undefined;
  const how = byRows(leader);
  if (squaredError(table, how) > squaredError(table, own())) return undefined;
  // Biases may have changed the scales of one product and not of the other.
  const shared = same.filter((matrix) => String(matrix.how().scales) === String(leader.scales));
  return { how, matrices: new Map(shared.map(({ key, layout }) => [key, { turned: layout === 'columns' }])) };
}

function fits(table: Tensor, { value, layout }: Written): boolean {
  const matrix = value.constant!;
  if ((layout !== 'rows' && layout !== 'columns') || table.type.name !== matrix.type.name) return false;
  const [rows, cols] = layout === 'columns' ? matrix.dims.toReversed() : matrix.dims;
  return matrix.dims.length === 2 && table.dims[0] === rows && table.dims[1] === cols;
}

function holds(table: Tensor, matrix: Tensor, turned: boolean): boolean {
  if (turned) return holdsTransposed(table, matrix);
  if (matrix === table) return true;
  const values = matrix.floats();
  return table.floats().every((value, i) => value === values[i]);
}

/** Turns the scales of a matrix into those of the table's rows. */
function byRows(how: WeightScales): WeightScales {
  return { ...how, axis: how.axis === undefined ? undefined : 0, pairs: how.pairs && 'rows' };
}

function squaredError(table: Tensor, how: WeightScales): number {
  const values = table.floats();
  const codes = quantizeWeights(table, how, table.name).data() as Int8Array;
  const width = table.dims[1]!;
  const { scales, axis, zeroPoint } = how;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const slot = axis === undefined ? 0 : axis === 0 ? Math.floor(i / width) : i % width;
    sum += (values[i]! - (codes[i]! - zeroPoint) * scales[slot]!) ** 2;
  }
  return sum;
}
