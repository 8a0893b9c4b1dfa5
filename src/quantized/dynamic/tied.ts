/** Tables of a dynamic model whose codes products read too, as their transpose; see ../tied.ts. */
import { valueFinder, type Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import { specOf } from '../../ops/index.ts';
import type { WeightLayout } from '../../ops/op.ts';
import type { NodePlan } from '../../quantizable/plan.ts';
import { turnCodes } from '../dequantize.ts';
import type { Writer } from '../node-rules.ts';
import { tiesOf, type Written } from '../tied.ts';
import { weightScales, type WeightScales } from '../weights.ts';
import { placeWeight, type DynamicSettings, type PlacedWeight } from './chain.ts';

/** Which tables and matrices share codes. */
export interface Ties {
  /** Names of tables with a scale per row. */
  readonly tables: ReadonlySet<string>;
  /** Name of the table by matrixKey. */
  readonly matrices: ReadonlyMap<string, string>;
}

/** No table is multiplied with. */
export const noTies: Ties = { tables: new Set(), matrices: new Map() };

/** One constant may be read as rows and as columns. */
const matrixKey = (name: string, layout: WeightLayout | undefined): string => `${layout} of ${name}`;

/** Finds the tables of a plan that matrices hold the rows of. */
export function tiesIn(model: Model, plan: NodePlan, { scheme }: DynamicSettings): Ties {
  if (plan.tables === 'apart') return noTies;
  const find = valueFinder(model);
  const weights = new Map<string, Written>();
  const nameOf = new Map<string, string>();
  for (const { tensor } of plan.regions) {
    const node = find(tensor)!.producer!;
    const operand = weightOf(node);
    const value = operand && node.input(operand.index);
    const constant = value?.constant;
    if (!operand || !value || !constant) continue;
    const { layout } = operand;
    const axis = scheme.perChannel ? operand.axis : undefined;
    const key = matrixKey(value.name, layout);
    let how: WeightScales | undefined;
    nameOf.set(key, value.name);
    weights.set(key, {
      key,
      value,
      layout,
      how: () => (how ??= weightScales(constant, { type: scheme.weightType, range: scheme.weightRange, axis, layout })),
    });
  }
  const ties = tiesOf([...weights.values()]);
  const matrices = [...ties].flatMap(([table, tie]) =>
    [...tie.matrices.keys()].map((key) => [key, nameOf.get(table)!] as const),
  );
  return { tables: new Set([...ties.keys()].map((key) => nameOf.get(key)!)), matrices: new Map(matrices) };
}

function weightOf(
  node: Node,
): { readonly index: number; readonly axis?: number; readonly layout?: WeightLayout } | undefined {
  const rule = specOf(node)?.quantize?.(node);
  return rule === undefined || typeof rule === 'string'
    ? undefined
    : rule.operands.find(({ role }) => role === 'weight');
}

/** Codes of a table, for those who pick its rows and for products. */
export function placeTable(table: Value, writer: Writer<DynamicSettings>): PlacedWeight {
  const tied = writer.settings.ties.tables.has(table.name);
  return placeWeight(table, 'table_', tied ? { axis: 0, layout: 'rows' } : { axis: 1, layout: 'table' }, writer);
}

/** The codes of a matrix [K, N] as those of the table that it is tied to; undefined where it is not. */
export function placeTied(
  weight: Value,
  layout: WeightLayout | undefined,
  writer: Writer<DynamicSettings>,
): PlacedWeight | undefined {
  const name = writer.settings.ties.matrices.get(matrixKey(weight.name, layout));
  if (name === undefined) return undefined;
  const placed = placeTable(writer.find(name)!, writer);
  const made = [...placed.codes.users.keys()].find((user) => user.is('Transpose'));
  const codes = made?.output() ?? turnCodes({ ...placed, axis: 0 }, `${weight.name}_quantized`).codes;
  return { ...placed, codes };
}
