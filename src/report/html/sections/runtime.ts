/** How int8 runs: size and latency, where the time goes by operator, and where each node runs and why. */
import type { Report } from '../../../compare/report.ts';
import { plural, bytes, milliseconds } from '../../format.ts';
import { el, folded, name, tableOf, type Child } from '../markup.ts';
import type { Section } from '../section.ts';
import { latencyWords, sizeWords } from '../../words.ts';
import { legend } from '../plot.ts';
import { rowChart } from '../rows.ts';

export const cost: Section = {
  id: 'cost',
  title: 'Size and speed',
  render: (report) => [el('div', { class: 'two' }, size(report), latency(report)), byOperator(report)],
};

function size(report: Report): Child {
  const { bytesFloat, bytesQuant } = report.cost;
  return el(
    'figure',
    {},
    el('figcaption', {}, `Size ${sizeWords(report, '→')}`),
    rowChart(
      [
        {
          name: 'float',
          told: bytes(bytesFloat),
          bars: [{ value: bytesFloat / 1e6, ink: 'blue', text: bytes(bytesFloat) }],
        },
        {
          name: 'int8',
          told: bytes(bytesQuant),
          bars: [{ value: bytesQuant / 1e6, ink: 'red', text: bytes(bytesQuant) }],
        },
      ],
      { title: 'File sizes', axis: 'MB', from: 0, width: 420, names: 6, right: 70 },
    ),
  );
}

function latency(report: Report): Child {
  const measured = report.cost.latencyMs;
  if (!measured) return undefined;
  const { float, quant, runs, batch } = measured;
  const row = (title: string, ink: 'blue' | 'red', { p50, p95 }: { p50: number; p95: number }) => ({
    name: title,
    told: `median ${milliseconds(p50)}, 95 % within ${milliseconds(p95)}`,
    bars: [{ value: p50, ink, text: `${milliseconds(p50)}, 95 %: ${milliseconds(p95)}`, whisker: p95 }],
  });
  return el(
    'figure',
    {},
    el(
      'figcaption',
      {},
      `Latency ${latencyWords(report, '→')}; ${plural(runs, 'run')} each in turns, batch ${batch}; the thin line ends at the 95 % quantile`,
    ),
    rowChart([row('float', 'blue', float), row('int8', 'red', quant)], {
      title: 'Median latency',
      axis: 'ms',
      from: 0,
      width: 420,
      names: 6,
      right: 172,
    }),
  );
}

const most = 16;

function byOperator({ profile }: Report): Child {
  if (!profile || profile.ops.length === 0) return undefined;
  const { ops, runs } = profile;
  const rows = ops.slice(0, most).map(({ op, floatMs, quantMs }) => ({
    name: op,
    told: `${op}: float ${milliseconds(floatMs)}, int8 ${milliseconds(quantMs)}`,
    bars: [
      { value: floatMs, ink: 'blue' as const, text: `float ${milliseconds(floatMs)}` },
      { value: quantMs, ink: 'red' as const, text: `int8 ${milliseconds(quantMs)}` },
    ],
  }));
  return [
    el('h3', {}, 'Latency by operator'),
    el(
      'p',
      {},
      `onnxruntime's own profile, medians of ${plural(runs, 'run')}. Profiling slows the runs: compare the bars, not their sum with the latency above.`,
    ),
    legend(
      ['bar', 'blue', 'float model'],
      ['bar', 'red', 'int8 model; an integer kernel counts as the operator that it stands for'],
    ),
    rowChart(rows, {
      title: 'Latency by operator, float beside int8',
      axis: 'ms per run',
      from: 0,
      names: 18,
      right: 90,
    }),
    folded(
      `All ${ops.length} operators`,
      tableOf(
        ops,
        [
          { title: 'operator', show: ({ op }) => name(op) },
          { title: 'float', show: ({ floatMs }) => milliseconds(floatMs), value: ({ floatMs }) => floatMs },
          { title: 'int8', show: ({ quantMs }) => milliseconds(quantMs), value: ({ quantMs }) => quantMs },
        ],
        { caption: 'Milliseconds per run by operator', sortable: true },
      ),
    ),
  ];
}

/** Where the nodes run: int8 and float by operator, each float node with its reason, each conversion that was left. */
export const placement: Section = {
  id: 'placement',
  title: 'Placement',
  lead: 'Read from the graph that onnxruntime itself optimized.',
  render(report) {
    const { int8, float, conversions } = report.placement;
    return [
      el(
        'p',
        {},
        `${plural(int8, 'node')} run in int8, ${float} in float, with ${plural(conversions, 'conversion')} per inference between them.`,
      ),
      byOp(report),
      floats(report),
      left(report),
    ];
  },
};

function byOp({ placement: { byOp: counts } }: Report): Child {
  const rows = Object.entries(counts).sort(([a, m], [b, n]) => n.int8 + n.float - m.int8 - m.float || (a < b ? -1 : 1));
  return tableOf(
    rows,
    [
      { title: 'kernel', show: ([op]) => name(op) },
      { title: 'int8', show: ([, row]) => String(row.int8), value: ([, row]) => row.int8 },
      { title: 'float', show: ([, row]) => String(row.float), value: ([, row]) => row.float },
    ],
    { caption: 'Kernels that run' },
  );
}

function floats({ nodes }: Report): Child {
  if (nodes.length === 0) return undefined;
  return tableOf(
    nodes,
    [
      { title: 'node', show: (row) => name(row.name) },
      { title: 'op', show: ({ op }) => name(op) },
      { title: 'runs', show: ({ placement: where }) => (where === 'float' ? 'float' : 'not fused') },
      { title: 'why', show: ({ reason }) => reason },
    ],
    { caption: 'Nodes in float, with their reasons', sortable: nodes.length > 3 },
  );
}

function left({ placement: { left: rows } }: Report): Child {
  if (!rows || rows.length === 0) return undefined;
  return folded(
    `${plural(rows.length, 'conversion')} that onnxruntime did not fuse`,
    tableOf(
      rows,
      [
        { title: 'conversion', show: (row) => [name(row.name), ` ${row.op}`] },
        { title: 'from', show: ({ from }) => name(from) },
        { title: 'to', show: ({ to }) => to.map((each) => [name(each), ' ']) },
        { title: 'why', show: ({ reason }) => reason },
      ],
      { caption: 'Conversions left', sortable: rows.length > 3 },
    ),
  );
}
