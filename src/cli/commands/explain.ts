/** `qdq explain`: every fusion applied and refused, every node in int8 or left float, each with its reason. */
import type { Explanation } from '../../explain.ts';
import { plural } from '../../report/format.ts';
import type { RegionPlan } from '../../quantizable/plan.ts';
import { defineCommand } from '../command.ts';
import { recipeOptions } from '../options.ts';
import { columns, someOf, textOf } from '../text.ts';

export const explain = defineCommand({
  name: 'explain',
  summary: 'say why: every fusion made or refused, every node in int8 or left float',
  positionals: [{ name: 'MODEL', describe: 'a float model, or an int8 model' }],
  options: ['target', 'optimize', 'include', 'exclude', 'override', ...recipeOptions],
  examples: [
    ['explain model.onnx', 'what quantize would do, node by node, and why'],
    ['explain model.int8.onnx', 'what onnxruntime really runs in int8, and why the rest is float'],
  ],
  async run({ positionals, values, console }) {
    const { explainModel } = await import('../../explain.ts');
    const explanation = await explainModel(positionals[0]!, values);
    console.result(explanation, () =>
      textOf(explanation.kind === 'float' ? floatLines(explanation) : int8Lines(explanation)),
    );
    return 0;
  },
});

function floatLines({
  path,
  target,
  scheme,
  applied,
  refused,
  regions,
  float,
}: Explanation & { kind: 'float' }): string[] {
  return [
    path,
    `fused: ${plural(applied.length, 'rewrite')}`,
    ...columns(
      applied.map(({ pass, nodes, into }) => [pass, nodes.join(' + '), into === undefined ? '' : `-> ${into}`]),
      [0, 1, 2],
    ),
    `not fused: ${plural(refused.length, 'refusal')}`,
    ...columns(
      refused.map(({ pass, node, reason }) => [pass, node, reason]),
      [0, 1, 2],
    ),
    `int8 on ${target}: ${plural(regions.length, 'region')} (${scheme})`,
    ...columns(
      regions.map((region) => [region.op, [region.node, ...region.clamps].join(' + '), remarks(region)]),
      [0, 1, 2],
    ),
    `float: ${plural(float.length, 'node')}`,
    ...columns(
      float.map(({ op, node, reason }) => [op, node, reason]),
      [0, 1, 2],
    ),
  ];
}

function remarks({ quantizedOutput, format, override }: RegionPlan): string {
  return [
    ...(quantizedOutput || format !== undefined ? [] : ['writes float']),
    ...(format === undefined ? [] : [format]),
    ...(override === undefined ? [] : [`by --override '${override}'`]),
  ].join(', ');
}

function int8Lines({ path, stamp, placement, nodes }: Explanation & { kind: 'int8' }): string[] {
  return [
    path,
    stamp
      ? `made by qdq ${stamp.version} for ${stamp.target}: ${stamp.scheme}; ${stamp.calibration}`
      : 'quantized by another tool',
    `onnxruntime runs ${plural(placement.int8, 'node')} in int8, ${placement.float} in float, with ${plural(placement.conversions, 'conversion')} between them`,
    ...columns(
      nodes.map(({ op, name, placement: where, reason }) => [op, name, where, reason ?? '']),
      [0, 1, 2, 3],
    ),
    `not fused: ${plural(placement.left?.length ?? 0, 'conversion')}`,
    ...columns(
      (placement.left ?? []).map((row) => [row.op, row.name, `${row.from} -> ${someOf(row.to)}`, row.reason]),
      [0, 1, 2, 3],
    ),
  ];
}
