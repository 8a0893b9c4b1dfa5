/**
 * What becomes of the flat array of parameters before it is used. Biases go on their integer grid, as `convert` will put them
 * there; what is evaluated and written has BatchNormalization folded, as it is in the model.
 */
import type { Model } from '../graph/model.ts';
import { findBiasGrids, onGrid } from './bias-grid.ts';
import { foldNorms, placeNorms, type PlacedNorm } from './live-norm.ts';
import type { NormRecord } from './norm-record.ts';
import type { Parameter } from './parameters.ts';

export interface View {
  /** Writes to `out` what the training graph is run with. */
  trained(parameters: Float32Array, out: Float32Array): Float32Array;
  /** Writes to `out` the parameters of the model. */
  evaluated(parameters: Float32Array, out: Float32Array): Float32Array;
  /** Live BatchNormalizations. */
  readonly norms: readonly PlacedNorm[];
}

/** @param model the one that is trained: of `unfoldNorms` when BatchNormalization is live */
export function viewOf(model: Model, parameters: readonly Parameter[], records: readonly NormRecord[]): View {
  const norms = placeNorms(model, records, parameters);
  const grids = findBiasGrids(model, parameters);
  const folded = new Set(norms.map(({ bias }) => bias.offset));
  const plain = grids.filter(({ offset }) => !folded.has(offset));
  const scratch =
    norms.length === 0 ? undefined : new Float32Array(parameters.reduce((n, { length }) => n + length, 0));
  const evaluated = (values: Float32Array, out: Float32Array): Float32Array => {
    if (!scratch) return onGrid(values, grids, out);
    scratch.set(values);
    foldNorms(values, norms, scratch);
    return onGrid(scratch, grids, out);
  };
  return {
    norms,
    evaluated,
    trained(values, out) {
      onGrid(values, plain, out);
      if (!scratch) return out;
      // Running statistics make a bias of their own; the graph adds what takes it to its grid.
      const seen = evaluated(values, new Float32Array(values.length));
      for (const { bias, grid } of norms)
        for (let i = 0; i < bias.length; i++) out[grid.offset + i] = seen[bias.offset + i]! - scratch[bias.offset + i]!;
      return out;
    },
  };
}
