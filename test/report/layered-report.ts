/**
 * A report with every section, of a made-up network of any number of layers: figures follow smooth laws, so that the same size
 * gives the same report, and one layer is broken (its scale 16 times too small) as in the examples of the field.
 */
import type { CauseRow, ClassRow, Report, Sensitivity, TensorRow, Training } from '../../src/compare/report.ts';
import { sampleReport, top1 } from './sample-report.ts';

/** A wave without a pattern that the eye finds, from -1 to 1. */
const wave = (i: number, k = 1): number => Math.sin(i * 12.9898 * k + 4.1414 * k);

function histogramOf(low: number, high: number, sharp: number): NonNullable<TensorRow['histogram']> {
  const bins = 64;
  const edges = Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins);
  const counts = Array.from({ length: bins }, (_, i) => {
    const x = (edges[i]! + edges[i + 1]!) / 2;
    return Math.round(40_000 * Math.exp(-sharp * Math.abs(x)));
  });
  return { edges, counts };
}

function activation(i: number, broken: boolean, accumulated: number): TensorRow {
  const name = `/layer${Math.floor(i / 3)}/${['conv', 'relu', 'add'][i % 3]}_${i}/output`;
  const max = 4 + 2 * wave(i, 3);
  const clipMax = broken ? max / 16 : max;
  const sqnr = broken ? 4.2 : 36 + 5 * wave(i);
  return {
    name,
    origin: name,
    node: `/layer${Math.floor(i / 3)}/node_${i}`,
    op: ['Conv', 'Conv', 'Add'][i % 3]!,
    kind: 'activation',
    bits: 8,
    scheme: 'u8 per tensor',
    scale: { min: clipMax / 255, max: clipMax / 255 },
    zeroPoint: { min: 0, max: 0 },
    isolated: {
      sqnrDb: sqnr,
      rmseOverScale: broken ? 61.5 : 0.29 + 0.04 * wave(i, 2),
      saturatedPct: broken ? 31.4 : 0.02 * (1 + wave(i, 5)),
      zeroedPct: 1.5 + wave(i, 7),
    },
    accumulated: { sqnrDb: accumulated, cosine: 1 - 10 ** (-accumulated / 10) / 2, maxAbs: 0.4 },
    range: { min: 0, max, clipMin: 0, clipMax, p01: 0, p999: max * 0.7 },
    histogram: histogramOf(0, max, 2),
  };
}

function weight(i: number): TensorRow {
  const count = 64;
  return {
    name: `layer${i}.weight_quantized`,
    origin: `layer${i}.weight`,
    node: `/layer${Math.floor(i / 3)}/node_${i}`,
    op: 'Conv',
    kind: 'weight',
    bits: 8,
    scheme: 's8 per channel',
    axis: 0,
    scale: { min: 0.0004, max: 0.0121 },
    zeroPoint: { min: 0, max: 0 },
    isolated: { sqnrDb: 41 + 2 * wave(i, 11), rmseOverScale: 0.288, saturatedPct: 0, zeroedPct: 0.8 },
    range: { min: -1.2, max: 1.5, clipMin: -1.5, clipMax: 1.5, p01: -0.9, p999: 1.1 },
    histogram: histogramOf(-1.2, 1.5, 4),
    channels: {
      count,
      spread: 6.3 + 2 * wave(i, 13),
      shown: Array.from({ length: count }, (_, c) => ({
        index: (c * 29) % count,
        min: -1.4 / (1 + c / 6),
        max: 1.5 / (1 + c / 6),
        scale: 1.5 / (1 + c / 6) / 127,
        sqnrDb: 43 - c / 8,
      })),
    },
  };
}

function tensorsOf(layers: number): TensorRow[] {
  const broken = Math.floor(layers * 0.4);
  let accumulated = 44;
  return Array.from({ length: layers }, (_, i): TensorRow[] => {
    accumulated -= 6 / layers + (i === broken ? 22 : 0) - Math.max(0, wave(i, 4)) * 0.2;
    const made = activation(i, i === broken, accumulated);
    return i % 3 === 2 ? [made] : [weight(i), made];
  }).flat();
}

/** A loss that falls along a wave, judged ten times. */
export function trainingOfSteps(steps: number): Training {
  return {
    loss: 'kl=1,ce=0.5',
    steps,
    keptStep: steps - 20,
    endedEarly: false,
    parameters: 269_722,
    stepMs: 310.25,
    curve: Array.from({ length: steps }, (_, i) => ({
      step: i + 1,
      loss: 0.9 * Math.exp((-4 * i) / steps) + 0.08 + 0.03 * wave(i),
      lr: 0.001 * (1 + Math.cos((Math.PI * i) / steps)),
    })),
    evaluations: Array.from({ length: 11 }, (_, i) => ({
      step: (i * steps) / 10,
      value: 0.86 - 0.11 * Math.exp(-i / 2) + 0.003 * wave(i),
    })),
    metric: 'top1',
  };
}

const sensitivityOf = (tensors: readonly TensorRow[]): Sensitivity => {
  const activations = tensors.filter(({ kind }) => kind === 'activation');
  const layers = activations
    .map(({ node, op, isolated }) => ({
      node,
      op,
      fast: isolated!.sqnrDb - 2,
      alone: isolated!.sqnrDb - 3,
      leftFloat: isolated!.sqnrDb < 10 ? 31.2 : 17.4,
    }))
    .sort((a, b) => a.alone - b.alone);
  return {
    metric: 'output.sqnr',
    unit: 'dB',
    better: 'higher',
    n: 32,
    base: 17.3,
    layers,
    spearman: 0.93,
    exclude: [layers[0]!.node],
    until: { gate: 'output.sqnr >= 30', value: 31.2, pass: true },
  };
};

const causesOf = (tensors: readonly TensorRow[]): CauseRow[] => {
  const worst = tensors.reduce((a, b) => (b.isolated!.sqnrDb < a.isolated!.sqnrDb ? b : a));
  return [
    {
      tensor: worst.name,
      node: worst.node,
      op: worst.op,
      cause: 'clipping',
      text: `tensor '${worst.name}' of ${worst.node} clips: 31.4 % of its values lie beyond the codes, rmse/scale is 61.5 instead of 0.29`,
      tryFlag: '--observer mse',
    },
  ];
};

const names = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

const classes: ClassRow[] = names
  .map((name, label) => {
    const delta = -0.02 + 0.018 * wave(label, 3);
    const half = 0.012 + 0.004 * wave(label, 5);
    return {
      label,
      name,
      n: 500,
      float: 0.81,
      quant: 0.81 + delta,
      delta,
      ci95: [delta - half, delta + half] as [number, number],
    };
  })
  .sort((a, b) => a.delta - b.delta);

/** @param layers activations of the network; weights come on top */
export function layeredReport(layers = 24, changes: Partial<Report> = {}): Report {
  const tensors = tensorsOf(layers);
  return sampleReport({
    verdict: 'fail',
    texts: [
      {
        ...{ name: 'label', n: 5000, agreement: 0.9996, agreementCi95: [0.9985, 0.9999] as [number, number] },
        differ: [{ sample: 'cat/0007.png', float: 'tabby', quant: 'lynx' }],
      },
    ],
    gates: [
      {
        id: 'top1.drop <= 2%',
        metric: 'top1.drop',
        level: 'error',
        op: '<=',
        bound: 0.02,
        value: 0.0186,
        interval: [0.0131, 0.0241],
        judged: 0.0241,
        unit: 'fraction',
        pass: false,
        hint: 'too close to tell with 5000 samples: about 77000 would settle it',
      },
      {
        id: 'latency.speedup >= baseline * 90%',
        metric: 'latency.speedup',
        level: 'warn',
        op: '>=',
        bound: 2.9,
        value: 3.0066,
        baseline: 3.22,
        unit: 'times',
        pass: true,
      },
      {
        id: 'output.sqnr >= 20',
        metric: 'output.sqnr',
        level: 'warn',
        op: '>=',
        bound: 20,
        value: 17.3,
        unit: 'dB',
        pass: false,
      },
      {
        id: 'size.ratio >= 4',
        metric: 'size.ratio',
        level: 'off',
        op: '>=',
        bound: 4,
        value: 3.92,
        unit: 'times',
        pass: false,
      },
      {
        id: 'tensor.isolated >= 3',
        metric: 'tensor.isolated',
        level: 'error',
        op: '>=',
        bound: 3,
        value: 4.2,
        unit: 'dB',
        pass: true,
      },
    ],
    baseline: {
      path: 'baseline.json',
      created: '2026-01-01T00:00:00.000Z',
      quant: 'd'.repeat(64),
      changes: [
        { metric: 'top1.drop', unit: 'fraction', better: 'lower', baseline: 0.004, now: 0.0186 },
        { metric: 'latency.speedup', unit: 'times', better: 'higher', baseline: 3.22, now: 3.0066 },
        { metric: 'size.ratio', unit: 'times', better: 'higher', baseline: 3.92, now: 3.92 },
      ],
    },
    task: [
      top1,
      {
        ...top1,
        metric: 'top5',
        float: 0.8908,
        quant: 0.891,
        delta: 0.0002,
        ci95: [-0.002, 0.0024],
        paired: { bothRight: 4440, onlyFloat: 14, onlyQuant: 15, bothWrong: 531 },
        p: 1,
      },
    ],
    nodes: [
      { name: '/fc/Gemm', op: 'Gemm', placement: 'float', reason: 'excluded by --exclude' },
      {
        name: '/layer4/conv',
        op: 'Conv',
        placement: 'not-fused',
        reason: 'stands between DequantizeLinear and QuantizeLinear, but onnxruntime did not fuse it',
      },
    ],
    placement: {
      int8: 38,
      float: 2,
      conversions: 3,
      byOp: {
        QLinearConv: { int8: 30, float: 0 },
        QLinearAdd: { int8: 8, float: 0 },
        Gemm: { int8: 0, float: 1 },
        Conv: { int8: 0, float: 1 },
      },
      left: [
        {
          name: 'input_q',
          op: 'QuantizeLinear',
          from: 'input',
          to: ['/stem/conv'],
          reason: 'the input of the model is float',
        },
        { name: 'fc_dq', op: 'DequantizeLinear', from: '/pool', to: ['/fc/Gemm'], reason: "'/fc/Gemm' is left float" },
      ],
    },
    data: {
      ...sampleReport().data,
      calibration: {
        n: 100,
        idsHash: 'e'.repeat(64),
        source: 'calib',
        health: {
          samples: 100,
          tensors: layers,
          byChannel: layers,
          growing: [
            { tensor: '/layer0/conv_0/output', share: 0.09 },
            { tensor: '/layer0/add_2/output', share: 0.031 },
          ],
          outliers: [{ tensor: '/layer0/relu_1/output', ratio: 11.4 }],
          dead: [{ tensor: '/layer0/relu_1/output', channels: 2, of: 64, which: [5, 41] }],
          constant: [],
        },
      },
    },
    layers: { n: 100, tensors: tensors.length, paired: tensors.length },
    tensors,
    causes: causesOf(tensors),
    sensitivity: sensitivityOf(tensors),
    training: trainingOfSteps(200),
    classes,
    confusion: {
      output: 'logits',
      classes: 10,
      agreed: 4700,
      pairs: [
        { float: 3, quant: 5, n: 91 },
        { float: 5, quant: 3, n: 40 },
      ],
    },
    profile: {
      runs: 20,
      ops: [
        { op: 'Conv', floatMs: 14.2, quantMs: 3.9 },
        { op: 'Add', floatMs: 1.8, quantMs: 0.7 },
        { op: 'conversion', floatMs: 0, quantMs: 0.5 },
        { op: 'Gemm', floatMs: 0.9, quantMs: 0.9 },
        { op: 'Softmax', floatMs: 0.01, quantMs: 0.01 },
      ],
    },
    warnings: [{ code: 'NOT_FUSED', message: '1 quantized node still runs in float between conversions' }],
    ...changes,
  });
}

/** Every name is an attack on some language that reports are written in. */
export const attacks = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</title></svg><script>alert(1)</script>',
  ']]></failure><x>',
  '`|</code>|\n| pwned | @everyone [x](javascript:alert(1))',
  '%0A::error::pwned\n::error::pwned',
  '=HYPERLINK("x")',
  '\u001b[2J\u202Egnp.exe\u0000',
];

export function hostileReport(): Report {
  const report = layeredReport(12);
  const attack = (i: number): string => attacks[i % attacks.length]!;
  const [error] = report.gates;
  return {
    ...report,
    command: attacks.join(' '),
    models: {
      float: { ...report.models.float, path: `dir/${attack(0)}` },
      quant: { ...report.models.quant, path: attack(1) },
    },
    gates: [
      ...report.gates,
      ...attacks.map((name) => ({
        ...error!,
        id: `output[${name}].sqnr >= 20`,
        metric: 'output.sqnr',
        op: '>=' as const,
        hint: `worst in output '${name}'`,
      })),
    ],
    outputs: attacks.map((name) => ({ ...report.outputs[0]!, name, maxAbsAt: name })),
    texts: attacks.map((name, i) => ({
      ...report.texts![0]!,
      name,
      differ: [{ sample: attack(i), float: attack(i + 1), quant: attack(i + 2) }],
    })),
    task: report.task.map((row, i) => ({ ...row, metric: attack(i), output: attack(i) })),
    tensors: report.tensors!.map((row, i) => ({
      ...row,
      name: attack(i),
      node: attack(i + 1),
      op: attack(i),
      scheme: attack(i),
    })),
    causes: attacks.map((name, i) => ({
      ...report.causes![0]!,
      tensor: name,
      node: attack(i + 1),
      text: `tensor '${name}' clips`,
      tryFlag: `--exclude ${name}`,
    })),
    nodes: attacks.map((name) => ({ name, op: name, placement: 'float', reason: name })),
    placement: {
      ...report.placement,
      byOp: Object.fromEntries(attacks.map((name) => [name, { int8: 1, float: 1 }])),
      left: attacks.map((name) => ({ name, op: name, from: name, to: [name], reason: name })),
    },
    sensitivity: {
      ...report.sensitivity!,
      layers: attacks.map((node) => ({ node, op: node, fast: 10, alone: 9 })),
      exclude: attacks,
    },
    training: { ...report.training!, loss: attack(0) },
    classes: report.classes!.map((row, i) => ({ ...row, name: attack(i) })),
    profile: { runs: 3, ops: attacks.map((op) => ({ op, floatMs: 1, quantMs: 2 })) },
    environment: { ...report.environment, cpu: attack(3) },
    data: {
      evaluation: { ...report.data.evaluation, source: attack(0), preprocess: attack(1) },
      calibration: {
        ...report.data.calibration!,
        source: attack(3),
        health: {
          ...report.data.calibration!.health!,
          growing: attacks.map((tensor) => ({ tensor, share: 0.1 })),
          dead: attacks.map((tensor) => ({ tensor, channels: 1, of: 8, which: [0] })),
        },
      },
    },
    baseline: { ...report.baseline!, path: attack(0) },
    warnings: attacks.map((message) => ({ code: 'MADE', message })),
    recipe: { exclude: attacks },
  };
}
