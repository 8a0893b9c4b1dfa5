/**
 * The Report: everything a comparison found, raw and unrounded, from which every renderer is a pure function. The zod schema is
 * the single definition; the TypeScript type and the published JSON Schema derive from it. JSON has no NaN and no infinities:
 * they are the strings 'NaN', 'Infinity' and '-Infinity' in files and numbers in memory.
 */
import { z } from 'zod';
import {
  causeRow,
  classRow,
  confusion,
  layerFacts,
  profile,
  sensitivity,
  tensorRow,
  improvement,
  training,
  better,
  count,
  fraction,
  interval95,
  real,
  health,
} from './report-details.ts';

/** Grows when a reader of older reports would misread a newer one. */
export const reportSchemaVersion = 1;

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

const latency = z.strictObject({ p50: z.number(), p95: z.number() });

const taskRow = z.strictObject({
  metric: z.string(),
  output: z.string(),
  unit: z.string().describe("'fraction', or the metric's own"),
  better,
  reference: z
    .enum(['labels', 'float'])
    .optional()
    .describe('what both are judged by; absent: labels. float: the float model itself, which is then perfect'),
  n: count,
  float: real,
  quant: real,
  delta: z.number().describe('quant - float'),
  ci95: interval95.optional().describe('of delta, paired (Agresti-Min for right or wrong, else Student)'),
  paired: z
    .strictObject({ bothRight: count, onlyFloat: count, onlyQuant: count, bothWrong: count })
    .optional()
    .describe('where a sample is right or wrong'),
  p: fraction.optional().describe('exact McNemar test, two-sided'),
  detail: z.record(z.string(), real).optional().describe('what the figure is made of'),
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
  argmaxAgreementCi95: interval95.optional().describe('Wilson, over samples'),
  normL2: real.optional().describe('√(Σ(x−y)² / Σx²)'),
  kl: real
    .nullable()
    .optional()
    .describe('mean KL divergence of the class distributions in nats; null without a class axis'),
  nonFinite: count.describe('NaN and infinite elements of the quantized model'),
});

const textRow = z.strictObject({
  name: z.string(),
  n: count.describe('texts'),
  agreement: fraction.describe('share of texts that are equal'),
  agreementCi95: interval95.optional().describe('Wilson, over samples'),
  differ: z
    .array(z.strictObject({ sample: z.string(), float: z.string(), quant: z.string() }))
    .describe('the first that differ'),
});

const nodeRow = z.strictObject({
  name: z.string(),
  op: z.string(),
  placement: z
    .enum(['float', 'not-fused'])
    .describe('not-fused: meant to run in int8, runs in float between conversions'),
  reason: z.string(),
});

const conversionRow = z.strictObject({
  name: z.string(),
  op: z.string(),
  from: z.string().describe('the node before it, or the input or weight that it reads'),
  to: z.array(z.string()).describe('the nodes behind it, or the output that it makes'),
  reason: z.string(),
});

const gateRow = z.strictObject({
  id: z.string(),
  metric: z.string(),
  level: z.enum(['error', 'warn', 'off']).describe('off: shown, never judged'),
  op: z.enum(['<=', '>=', '<', '>', '==']),
  bound: real.describe('NaN for a gate that is off and has no baseline'),
  value: real.describe('as measured'),
  interval: interval95.optional().describe('95 % confidence interval of value'),
  judged: real.optional().describe('what was held against the bound: the worse end of the interval; absent: value'),
  baseline: real.optional().describe('value of the baseline, for a bound relative to it'),
  unit: z.string(),
  pass: z.boolean(),
  hint: z.string().optional(),
});

const baseline = z
  .strictObject({
    path: z.string(),
    created: z.iso.datetime().optional(),
    quant: sha256.describe('of the quantized model of the baseline'),
    changes: z
      .array(z.strictObject({ metric: z.string(), unit: z.string(), better, baseline: real, now: real }))
      .describe('everything that gates can ask for and both reports have'),
  })
  .describe('the report of record that relative gates compare with');

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
  baseline: baseline.optional(),
  task: z.array(taskRow),
  outputs: z.array(outputRow),
  texts: z.array(textRow).optional().describe('outputs of type string'),
  nodes: z.array(nodeRow).describe('compute nodes that run in float'),
  placement: z.strictObject({
    int8: count,
    float: count,
    conversions: count.describe('QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear left'),
    byOp: z.record(z.string(), z.strictObject({ int8: count, float: count })),
    left: z
      .array(conversionRow)
      .optional()
      .describe('each conversion that onnxruntime did not fuse into an integer kernel'),
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
  layers: layerFacts.optional(),
  tensors: z.array(tensorRow).optional().describe('quantized tensors in the order of the graph'),
  causes: z.array(causeRow).optional().describe('why tensors are sick, most harmful first'),
  sensitivity: sensitivity.optional(),
  training: training.optional(),
  improvements: z.array(improvement).optional().describe('corrections that were tried, in order'),
  classes: z.array(classRow).optional().describe('worst change first'),
  confusion: confusion.optional(),
  profile: profile.optional().describe('latency by operator'),
  warnings: z.array(z.strictObject({ code: z.string(), message: z.string() })),
});

export type Report = z.output<typeof reportSchema>;
export type Verdict = Report['verdict'];
export type GateRow = Report['gates'][number];
export type Baseline = NonNullable<Report['baseline']>;
export type ConversionRow = NonNullable<Report['placement']['left']>[number];
export type TaskRow = Report['task'][number];
export type OutputRow = Report['outputs'][number];
export type TextRow = NonNullable<Report['texts']>[number];
export type NodeRow = Report['nodes'][number];
export type Placement = Report['placement'];
export type Latency = NonNullable<Report['cost']['latencyMs']>;
export type Warning = Report['warnings'][number];
export type * from './report-details.ts';
export type ModelFile = Report['models']['float'];

/** The published schema of report files (JSON Schema 2020-12), with a line end, as it stands in `report.schema.json`. */
export function reportSchemaText(): string {
  const schema = z.toJSONSchema(reportSchema, { io: 'input' });
  return `${JSON.stringify({ title: 'qdq report', ...schema }, undefined, 2)}\n`;
}

/**
 * Writes a report, or any other value, as JSON: sorted keys, so that one report has one text, whatever order its parts were made in; two
 * spaces of indent and a final newline. NaN and infinities are strings, undefined keys are left out.
 */
export function canonicalJson(value: unknown): string {
  return `${JSON.stringify(value, normalise, 2)}\n`;
}

function normalise(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
