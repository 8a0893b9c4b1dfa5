/** The weights of a QDQ model: codes and scales beside each constant, a DequantizeLinear wherever they are read. */
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import { weightKey, type QdqPlan } from '../quantizable/plan.ts';
import { dequantizeIn, placeCodes, turnCodes, type Placed } from './dequantize.ts';
import { codes } from './quant-params.ts';
import type { Parameters } from './resolve-parameters.ts';
import { tiesOf, type Tie } from './tied.ts';
import { quantizeWeights } from './weights.ts';

/**
 * Writes codes and scales of a weight beside its constant, once, and a DequantizeLinear into each graph that reads it: a
 * runtime fuses nodes of one graph only. Where the target has tables stored once, what is tied to a table reads the table's.
 * @param origins takes up which constant codes were made of
 */
export function weightWriter(
  plan: QdqPlan,
  parameters: Parameters,
  find: (name: string) => Value | undefined,
  origins: Map<string, string>,
): (key: string, graph: Graph) => Value {
  const names = new Map(plan.weights.map((weight) => [weightKey(weight), weight.name]));
  const ties = plan.encoding.tables === 'once' ? tiedIn(plan, parameters, find) : new Map<string, Tie>();
  const tableOf = new Map(
    [...ties].flatMap(([table, { matrices }]) => [...matrices].map(([key, { turned }]) => [key, { table, turned }])),
  );
  const placed = new Map<string, Placed>();
  const written = new Map<string, Map<Graph, Value>>();

  const placeOf = (key: string): Placed => {
    const known = placed.get(key);
    if (known) return known;
    const place = tableOf.has(key) ? ofTable(key) : ofItsOwn(key);
    if (!origins.has(place.codes.name)) origins.set(place.codes.name, names.get(key)!);
    placed.set(key, place);
    return place;
  };
  const ofTable = (key: string): Placed => {
    const { table, turned } = tableOf.get(key)!;
    const place = placeOf(table);
    return turned ? turnCodes(place, `${names.get(key)!}_quantized`) : place;
  };
  const ofItsOwn = (key: string): Placed => {
    const name = names.get(key)!;
    const constant = find(name)!;
    const how = ties.get(key)?.how ?? parameters.weights.get(key)!;
    const tensor = quantizeWeights(constant.constant!, how, `${name}_quantized`);
    const zeros = codes(how.type, how.scales.length).fill(how.zeroPoint);
    const source = plan.encoding.weights === 'pairs' ? constant : undefined;
    return placeCodes(constant.graph, tensor, how.scales, zeros, how.axis, source);
  };
  return (key, graph) => {
    const place = placeOf(key);
    const copies = written.get(key) ?? new Map<Graph, Value>();
    written.set(key, copies);
    if (!copies.has(graph)) copies.set(graph, dequantizeIn(graph, place, names.get(key)!));
    return copies.get(graph)!;
  };
}

function tiedIn(plan: QdqPlan, { weights }: Parameters, find: (name: string) => Value | undefined): Map<string, Tie> {
  return tiesOf(
    plan.weights.map((weight) => {
      const key = weightKey(weight);
      return { key, value: find(weight.name)!, layout: weight.layout, how: () => weights.get(key)! };
    }),
  );
}
