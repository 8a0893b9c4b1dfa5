/** Gates on single tensors, for reports that looked inside: `tensor.isolated` is the worst of all, `tensor[NAME].isolated` one. */
import { compareErrors } from '../errors/compare.ts';
import type { GateMetric } from './gate-metrics.ts';
import type { TensorRow } from './report.ts';

export const tensorMetrics: readonly GateMetric[] = [
  worstTensor('sqnr', 'dB', 'higher', 'both models run whole', ({ accumulated }) => accumulated?.sqnrDb),
  worstTensor('isolated', 'dB', 'higher', 'this quantizer alone', ({ isolated }) => isolated?.sqnrDb),
  worstTensor('rmse', 'rmse/scale', 'lower', 'ideal rounding has 0.289', ({ isolated }) => isolated?.rmseOverScale),
  worstTensor('saturated', 'fraction', 'lower', 'beyond the first or last code', ({ isolated }) =>
    isolated === undefined ? undefined : isolated.saturatedPct / 100,
  ),
];

function worstTensor(
  id: string,
  unit: GateMetric['unit'],
  better: GateMetric['better'],
  meaning: string,
  valueOf: (row: TensorRow) => number | undefined,
): GateMetric {
  const worse = (a: number, b: number): boolean => Number.isNaN(a) || (better === 'higher' ? a < b : a > b);
  return {
    name: `tensor.${id}`,
    unit,
    better,
    largestBound: unit === 'fraction' ? 1 : Infinity,
    needs: ['layers'],
    checkTarget({ tensors = [] }, target, gate) {
      const names = tensors.map(({ name }) => name);
      if (!names.includes(target)) throw compareErrors.gateTensor(gate, target, names);
    },
    read({ tensors }, target) {
      if (!tensors) return { why: 'the tensors were not compared' };
      const values = tensors.flatMap((row) => {
        const value = target !== undefined && row.name !== target ? undefined : valueOf(row);
        return value === undefined ? [] : [{ row, value }];
      });
      const [first, ...others] = values;
      if (!first) return { why: `no tensor has a value for it (${meaning})` };
      const worst = others.reduce((least, each) => (worse(each.value, least.value) ? each : least), first);
      return {
        value: worst.value,
        hint: `worst in tensor '${worst.row.name}' of ${worst.row.node}: another --observer, or --exclude ${worst.row.node}`,
      };
    },
  };
}
