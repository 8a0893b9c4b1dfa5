/**
 * The Report: everything a comparison found, raw and unrounded, from which every renderer is a pure function. The zod schema is
 * the single definition; the TypeScript type and the published JSON Schema derive from it. JSON has no NaN and no infinities:
 * they are the strings 'NaN', 'Infinity' and '-Infinity' in files and numbers in memory.
 */
import { z } from 'zod';

/** Grows when a reader of older reports would misread a newer one. */
export const reportSchemaVersion = 1;

const real = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity']).transform(Number)]);
const count = z.int().min(0);
const fraction = z.number().min(0).max(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const modelFile = z.strictObject({
  path: z.string(),
  sha256: sha256.describe('of the .onnx file itself'),
  bytes: count.describe('the .onnx file and its external data'),
  opset: z.int(),
  ir: z.int(),
  inputs: z.array(
    z.strictObject({ name: z.string(), type: z.string(), dims: z.array(z.union([z.int(), z.string(), z.null()])) }),
  ),
  external: z.array(z.strictObject({ file: z.string(), bytes: count, sha256 })).optional(),
});

const samples = {
  n: count,
  idsHash: sha256.nullable().describe('null for a stream'),
  source: z.string(),
  skipped: z
    .strictObject({ n: count.describe('not in the n samples that were used'), first: z.array(z.string()) })
    .optional()
    .describe('bad samples that were left out, with what was wrong with the first three'),
};

const channelFinding = z.strictObject({
  tensor: z.string(),
  channels: count.describe('such channels'),
  of: count.describe('channels in all'),
  which: z.array(count).describe('which they are, from 0'),
});

const health = z
  .strictObject({
    samples: count,
    tensors: count.describe('whose range was observed'),
    byChannel: count.describe('of these, tensors whose channels were told apart'),
    growing: z
      .array(z.strictObject({ tensor: z.string(), share: fraction }))
      .describe('share of its range that a tenth of the samples adds'),
    outliers: z
      .array(z.strictObject({ tensor: z.string(), ratio: z.number() }))
      .describe('largest magnitude over the usual one'),
    dead: z.array(channelFinding).describe('channels that are always 0'),
    constant: z.array(channelFinding).describe('channels that hold one value throughout'),
  })
  .describe('what the calibration tells of itself');

const latency = z.strictObject({ p50: z.number(), p95: z.number() });

const taskRow = z.strictObject({
  metric: z.string(),
  output: z.string(),
  unit: z.literal('fraction'),
  better: z.enum(['higher', 'lower']),
  n: count,
  float: fraction,
  quant: fraction,
  delta: z.number().describe('quant - float'),
  ci95: z.tuple([z.number(), z.number()]).describe('of delta, paired (Agresti-Min)'),
  paired: z.strictObject({ bothRight: count, onlyFloat: count, onlyQuant: count, bothWrong: count }),
  p: fraction.describe('exact McNemar test, two-sided'),
});

const outputRow = z.strictObject({
  name: z.string(),
  type: z.string(),
  sqnrDb: real,
  cosine: real,
  maxAbs: real,
  maxAbsAt: z.string().optional().describe('sample id'),
  meanAbs: real,
  argmaxAgreement: real.nullable().describe('null for outputs without a class axis'),
  nonFinite: count.describe('NaN and infinite elements of the quantized model'),
});

const nodeRow = z.strictObject({
  name: z.string(),
  op: z.string(),
  placement: z
    .enum(['float', 'not-fused'])
    .describe('not-fused: meant to run in int8, runs in float between conversions'),
  reason: z.string(),
});

const gateRow = z.strictObject({
  id: z.string(),
  metric: z.string(),
  level: z.enum(['error', 'warn']),
  op: z.enum(['<=', '>=', '<', '>', '==']),
  bound: z.number(),
  value: real,
  unit: z.string(),
  pass: z.boolean(),
  hint: z.string().optional(),
});

export const reportSchema = z.strictObject({
  schema: z.literal(reportSchemaVersion),
  tool: z.strictObject({ name: z.string(), version: z.string() }),
  created: z.iso.datetime().optional(),
  command: z.string(),
  models: z.strictObject({ float: modelFile, quant: modelFile }),
  recipe: z.json().optional(),
  environment: z.strictObject({
    node: z.string(),
    ort: z.string(),
    threads: count,
    exactInt8: z.boolean().describe('outputs were computed with exact int8 products (session.x64quantprecision)'),
    cpu: z.string(),
    arch: z.string(),
    features: z.array(z.string()),
    os: z.string(),
  }),
  data: z.strictObject({
    calibration: z.strictObject({ ...samples, health: health.optional() }).optional(),
    evaluation: z.strictObject({
      ...samples,
      format: z.string(),
      labelled: z.boolean(),
      preprocess: z.string().nullable(),
      synthetic: z.boolean(),
    }),
  }),
  verdict: z.enum(['pass', 'warn', 'fail']),
  gates: z.array(gateRow),
  task: z.array(taskRow),
  outputs: z.array(outputRow),
  nodes: z.array(nodeRow).describe('compute nodes that run in float'),
  placement: z.strictObject({
    int8: count,
    float: count,
    conversions: count.describe('QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear left'),
    byOp: z.record(z.string(), z.strictObject({ int8: count, float: count })),
  }),
  cost: z.strictObject({
    bytesFloat: count,
    bytesQuant: count,
    ratio: real.describe('bytesFloat / bytesQuant'),
    latencyMs: z
      .strictObject({
        float: latency,
        quant: latency,
        speedup: real,
        runs: count.describe('of each model'),
        batch: count,
      })
      .optional(),
  }),
  warnings: z.array(z.strictObject({ code: z.string(), message: z.string() })),
});

export type Report = z.output<typeof reportSchema>;
export type Verdict = Report['verdict'];
export type GateRow = Report['gates'][number];
export type TaskRow = Report['task'][number];
export type OutputRow = Report['outputs'][number];
export type NodeRow = Report['nodes'][number];
export type Placement = Report['placement'];
export type Latency = NonNullable<Report['cost']['latencyMs']>;
export type Warning = Report['warnings'][number];
export type ModelFile = Report['models']['float'];

/** The schema of report files, for editors and other tools (JSON Schema 2020-12). */
export function reportJsonSchema(): object {
  return z.toJSONSchema(reportSchema, { io: 'input' });
}
