/**
 * What becomes of the flat array of parameters before it is used. What is evaluated and written has BatchNormalization folded, as it
 * is in the model, and biases lie on their integer grid, as `convert` will put them there: integer kernels add the bias as an int32
 * code at (input scale × weight scale), and with few bits that step is coarse. So the model is run with biases on the grid, and the
 * gradient moves the exact ones behind them (a straight-through estimator).
 */
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import { clamp, roundHalfEven } from '../quantized/quant-params.ts';
import { findLayers } from './constant-quant.ts';
import { findFakeQuants } from './fake-quant.ts';
import { foldNorms, placeNorms, type PlacedNorm } from './live-norm.ts';
import type { NormRecord } from './norm-record.ts';
import type { Parameter } from './parameters.ts';

/** The parameters as training and as evaluation see them. */
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

/** A scale that is trained, by its place in the flat array, or one that is not. */
type Scale = { readonly offset: number; readonly length: number } | Float32Array;

/** Where a bias lies in the flat array, and the scales whose product is its step. */
interface BiasGrid {
  readonly offset: number;
  readonly length: number;
  readonly input: Scale;
  readonly weight: Scale;
}

/** Finds the grid of every trained bias of a quantized layer. A bias that two layers share has no one grid, and stays as it is. */
function findBiasGrids(model: Model, parameters: readonly Parameter[]): BiasGrid[] {
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const scale = (value: Value): Scale => byName.get(value.name) ?? value.constant!.floats();
  const constants = findFakeQuants(model).filter(({ input, scale: own }) => input.isConstant && own.isConstant);
  const grids: BiasGrid[] = [];
  for (const { node, weight, inputScale, bias } of findLayers(model, constants)) {
    const value = bias === undefined ? undefined : node.input(bias)!;
    const parameter = value && byName.get(value.name);
    if (!parameter || value.users.size > 1 || !inputScale) continue;
    const { offset, length } = parameter;
    grids.push({ offset, length, input: scale(inputScale), weight: scale(weight.scale) });
  }
  return grids;
}

const int32 = 2 ** 31;

/** Writes to `out` the parameters with every bias on its grid. */
export function onGrid(parameters: Float32Array, grids: readonly BiasGrid[], out: Float32Array): Float32Array {
  out.set(parameters);
  const read = (scale: Scale): Float32Array =>
    scale instanceof Float32Array ? scale : parameters.subarray(scale.offset, scale.offset + scale.length);
  for (const { offset, length, input, weight } of grids) {
    const [x, w] = [read(input)[0]!, read(weight)];
    for (let i = 0; i < length; i++) {
      const step = Math.fround(x * w[w.length === 1 ? 0 : i]!);
      out[offset + i] = clamp(roundHalfEven(parameters[offset + i]! / step), -int32, int32 - 1) * step;
    }
  }
  return out;
}
