/** Error along the graph: where SQNR falls, in the order in which nodes run. If only one plot is looked at, it should be this. */
import type { TensorRow } from '../../../compare/report.ts';
import { inUnit, shorten } from '../../format.ts';
import { tensorName, worstTensors } from '../../words.ts';
import { el, name, type Child } from '../markup.ts';
import { extent, inside, label, legend, linear, mark, plot, polyline, stroke, type Frame } from '../plot.ts';
import type { Section } from '../section.ts';

/** Above this nothing is to be seen: float32 itself has some 140 dB. */
const ceiling = 70;

export const along: Section = {
  id: 'along',
  title: 'Error along the graph',
  lead: 'A dip of a blue mark is harm done right there; a fall of the red line that no blue mark explains is inherited or piled up.',
  render({ tensors, gates }) {
    const rows = (tensors ?? []).map((row, index) => ({ row, index }));
    if (rows.length < 2) return undefined;
    const gate = gates.find(
      ({ metric, op, level }) => /^tensor\.(sqnr|isolated)$/.test(metric) && op.startsWith('>') && level !== 'off',
    );
    const output = gates.find(
      ({ metric, op, level }) => metric === 'output.sqnr' && op.startsWith('>') && level !== 'off',
    );
    const line = gate ?? output;
    return [
      legend(
        ['circle', 'blue', 'activation, this quantizer alone'],
        ['triangle', 'blue', 'weight, its quantizer alone'],
        ['diamond', 'red', 'activation, both models run whole'],
        ...(line ? [['dash', 'text', `gate ${line.id}`] as const] : []),
      ),
      draw(rows, line?.bound),
      worstLine(tensors!),
    ];
  },
};

interface Placed {
  readonly row: TensorRow;
  readonly index: number;
}

function draw(rows: readonly Placed[], gate: number | undefined): Child {
  const frame: Frame = {
    width: 1040,
    height: 340,
    title: 'SQNR in dB of every tensor in the order of the graph, alone and accumulated',
  };
  const { x: across, y: up } = inside(frame);
  const values = rows.flatMap(({ row: { isolated, accumulated } }) => [isolated?.sqnrDb, accumulated?.sqnrDb]);
  const [low, high] = extent(
    [...values.filter((value) => value !== undefined), ...(gate === undefined ? [] : [gate])],
    [0, 50],
  );
  const y = linear([Math.min(Math.max(low, -20), 0), Math.min(Math.max(high, 20), ceiling)], up, 6);
  const x = linear([0, rows.length + 1], across, 10);
  const at = (index: number): number => x(index + 1);
  const whole = rows.filter(({ row: { accumulated } }) => accumulated !== undefined);
  const size = rows.length > 250 ? 2.5 : rows.length > 100 ? 3 : 4;
  return plot(
    frame,
    { x, y, xLabel: 'tensor, in the order of the graph (its number in the table)', yLabel: 'SQNR, dB' },
    [
      gate !== undefined &&
        el('line', { x1: across[0], x2: across[1], y1: y(gate), y2: y(gate), ...stroke('text', 1.5, true) }),
      polyline(
        whole.map(({ row, index }) => [at(index), y(row.accumulated!.sqnrDb)]),
        'red',
      ),
      whole.map(({ row, index }) =>
        mark('diamond', at(index), y(row.accumulated!.sqnrDb), 'red', told(row, index), index, size * 0.8),
      ),
      rows
        .filter(({ row: { isolated } }) => isolated !== undefined)
        .map(({ row, index }) =>
          mark(
            row.kind === 'weight' ? 'triangle' : 'circle',
            at(index),
            y(row.isolated!.sqnrDb),
            'blue',
            told(row, index),
            index,
            size,
          ),
        ),
      ring(rows, at, y),
    ],
    true,
  );
}

/** Around the mark that is worst alone. */
function ring(rows: readonly Placed[], at: (index: number) => number, y: (value: number) => number): Child {
  const [worst] = worstTensors(rows.map(({ row }) => row));
  const found = rows.find(({ row }) => row === worst);
  if (!found) return undefined;
  const [cx, cy] = [at(found.index), y(found.row.isolated!.sqnrDb)];
  return [
    el('circle', { cx, cy, r: 9, ...stroke('text', 1.5) }),
    el(
      'g',
      { class: 'halo' },
      label(cx, cy + 24, `worst alone: #${found.index + 1}`, cx > 960 ? 'end' : cx < 80 ? 'start' : 'middle'),
    ),
  ];
}

function worstLine(tensors: readonly TensorRow[]): Child {
  const [worst] = worstTensors(tensors);
  if (!worst) return undefined;
  const sqnr = inUnit(worst.isolated!.sqnrDb, 'dB', 1);
  return el(
    'p',
    {},
    `Worst alone: #${tensors.indexOf(worst) + 1} `,
    name(tensorName(worst)),
    ` of `,
    name(worst.node),
    ` with ${sqnr}.`,
  );
}

/** What a mark says when it is pointed at. */
export function told(row: TensorRow, index: number): string {
  const { isolated, accumulated, op, kind } = row;
  const parts = [
    `#${index + 1} ${shorten(tensorName(row), 80)} (${kind} of ${op})`,
    isolated && `alone ${inUnit(isolated.sqnrDb, 'dB', 1)}`,
    accumulated && `whole ${inUnit(accumulated.sqnrDb, 'dB', 1)}`,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}
