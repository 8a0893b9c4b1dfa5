/** `qdq explain`: every fusion applied and refused, every node in int8 or left float, each with its reason; of two models side by side. */
import type { Explanation, FixedRange } from '../../inspect/explain.ts';
import type { PairExplanation } from '../../inspect/explain-pair.ts';
import type { RegionPlan } from '../../quantizable/plan.ts';
import { milliseconds, plural } from '../../report/format.ts';
import { defineCommand } from '../command.ts';
import { runFlags } from '../request.ts';
import { columns, someOf, textOf } from '../text.ts';

export const explain = defineCommand({
  stages: ['explain'],
  summary: 'say why: every fusion made or refused, every node in int8 or left float',
  positionals: [
    { name: 'MODEL', describe: 'a float model, or an int8 model' },
    { name: 'INT8', describe: 'the model quantized from it: placement and latency side by side', optional: true },
  ],
  examples: [
    ['explain model.onnx', 'what quantize would do, node by node, and why'],
    ['explain model.int8.onnx', 'what onnxruntime really runs in int8, and why the rest is float'],
    ['explain model.onnx model.int8.onnx', 'what became of each node, which conversions are left, where the time goes'],
  ],
  async run({ positionals, values, console }) {
    const [model, int8] = positionals as [string, string | undefined];
    if (int8 !== undefined) {
      const { explainPair } = await import('../../inspect/explain-pair.ts');
      const pair = await explainPair(model, int8, { ...values, ...runFlags(values, console) });
      console.result(pair, () => textOf(pairLines(pair)));
      return 0;
    }
    const { explainModel } = await import('../../inspect/explain.ts');
    const explanation = await explainModel(model, values);
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
  fixed,
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
    ...(fixed.length === 0 ? [] : [`fixed: ${plural(fixed.length, 'range')} that no sample needs to tell`]),
    ...columns(
      fixed.map((each) => [each.op ?? '', each.tensor, limits(each)]),
      [0, 1, 2],
    ),
    `float: ${plural(float.length, 'node')}`,
    ...columns(
      float.map(({ op, node, reason }) => [op, node, reason]),
      [0, 1, 2],
    ),
  ];
}

function limits({ range, parameters }: FixedRange): string {
  return parameters
    ? `scale ${parameters.scale}, zero point ${parameters.zeroPoint}: the kernel of the target takes no other`
    : `${range!.min} to ${range!.max}`;
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
    ...conversionLines(placement),
  ];
}

function conversionLines({ left = [] }: PairExplanation['placement']): string[] {
  return [
    `not fused: ${plural(left.length, 'conversion')}`,
    ...columns(
      left.map((row) => [row.op, row.name, `${row.from} -> ${someOf(row.to)}`, row.reason]),
      [0, 1, 2, 3],
    ),
  ];
}

function pairLines({ float, quant, stamp, how, placement, floatPlacement, ...rest }: PairExplanation): string[] {
  const { nodes, notFused, latencyMs, profile, notes } = rest;
  return [
    `${float} -> ${quant}`,
    stamp ? `made by qdq ${stamp.version} for ${stamp.target}: ${stamp.scheme}` : 'quantized by another tool',
    `onnxruntime runs ${plural(floatPlacement.float, 'node')} of the float model; of the other ${placement.int8} in int8 and ${placement.float} in float, with ${plural(placement.conversions, 'conversion')} per inference`,
    `${plural(nodes.length, 'node')}, paired by ${how === 'record' ? 'the record in the model' : 'structure'}`,
    ...columns(
      nodes.map(({ op, node, fused, fate, kernel, into, reason }) => [
        op,
        [node, ...fused].join(' + '),
        fate,
        fate === 'absorbed' ? `in ${kernel} of ${into}` : (kernel ?? ''),
        reason ?? '',
      ]),
      [0, 1, 2, 3, 4],
    ),
    `quantizers that onnxruntime did not fuse: ${plural(notFused.length, 'node')}`,
    ...columns(
      notFused.map(({ op, name, reason }) => [op, name, reason ?? '']),
      [0, 1, 2],
    ),
    ...conversionLines(placement),
    ...(latencyMs
      ? [
          `latency: ${milliseconds(latencyMs.float.p50)} float, ${milliseconds(latencyMs.quant.p50)} int8: ${latencyMs.speedup.toFixed(2)}x`,
        ]
      : []),
    ...(profile
      ? columns(
          [
            ['operator', 'float', 'int8', ''],
            ...profile.ops.map(({ op, floatMs, quantMs }) => [
              op,
              milliseconds(floatMs),
              milliseconds(quantMs),
              quantMs > 0 && floatMs > 0 ? `${(floatMs / quantMs).toFixed(2)}x` : '',
            ]),
          ],
          [0],
        )
      : []),
    ...notes,
  ];
}
