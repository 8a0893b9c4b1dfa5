/** Where the nodes run: int8 and float by operator, each float node with its reason, each conversion that was left. */
import type { Report } from '../../../compare/report.ts';
import { plural } from '../../format.ts';
import { el, folded, name, tableOf, type Child } from '../markup.ts';
import type { Section } from '../section.ts';

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
