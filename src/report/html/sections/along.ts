/** Error along the graph: where SQNR falls, in the order in which nodes run. If only one plot is looked at, it should be this. */
import type { TensorRow } from '../../../compare/report.ts';
import { inUnit, shorten } from '../../format.ts';
import { tensorName, worstTensors } from '../../words.ts';
import { el, name, type Child } from '../markup.ts';
import {
  extent,
  inside,
  label,
  legend,
  linear,
  mark,
  plot,
  polyline,
  stroke,
  twoWidths,
  type Frame,
  type Ink,
  type Shape,
} from '../plot.ts';
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
      twoWidths(drawIn(roomy, rows, line?.bound), drawIn(compact, rows, line?.bound)),
      worstLine(tensors!),
    ];
  },
};

interface Placed {
  readonly row: TensorRow;
  readonly index: number;
}

const title = 'SQNR in dB of every tensor in the order of the graph, alone and accumulated';
const roomy: Frame = { width: 1040, height: 340, title };
const compact: Frame = { width: 370, height: 320, title };

function drawIn(frame: Frame, rows: readonly Placed[], gate: number | undefined): Child {
  const wide = frame === roomy;
  const { x: across, y: up } = inside(frame);
  const values = rows.flatMap(({ row: { isolated, accumulated } }) => [isolated?.sqnrDb, accumulated?.sqnrDb]);
  const [low, high] = extent(
    [...values.filter((value) => value !== undefined), ...(gate === undefined ? [] : [gate])],
    [0, 50],
  );
  const y = linear([Math.min(Math.max(low, -20), 0), Math.min(Math.max(high, 20), ceiling)], up, 6);
  const x = linear([0, rows.length + 1], across, wide ? 10 : 5);
  const at = (index: number): number => x(index + 1);
  const whole = rows.filter(({ row: { accumulated } }) => accumulated !== undefined);
  const size = (rows.length > 250 ? 2.5 : rows.length > 100 ? 3 : 4) * (wide ? 1 : 0.75);
  // The twin is for the eye alone: what its marks tell when pointed at would double the file.
  const say = (row: TensorRow, index: number): [told: string, key?: number] =>
    wide ? [told(row, index), index] : [''];
  const drawn = (shape: Shape, row: TensorRow, index: number, sqnr: number, ink: Ink, r: number): Child => {
    const [words, key] = say(row, index);
    return mark(shape, at(index), y(sqnr), ink, words, key, r);
  };
  return plot(
    frame,
    {
      x,
      y,
      xLabel: `tensor, in the order of the graph${wide ? ' (its number in the table)' : ''}`,
      yLabel: 'SQNR, dB',
    },
    [
      gate !== undefined &&
        el('line', { x1: across[0], x2: across[1], y1: y(gate), y2: y(gate), ...stroke('text', 1.5, true) }),
      polyline(
        whole.map(({ row, index }) => [at(index), y(row.accumulated!.sqnrDb)]),
        'red',
      ),
      whole.map(({ row, index }) => drawn('diamond', row, index, row.accumulated!.sqnrDb, 'red', size * 0.8)),
      rows
        .filter(({ row: { isolated } }) => isolated !== undefined)
        .map(({ row, index }) =>
          drawn(row.kind === 'weight' ? 'triangle' : 'circle', row, index, row.isolated!.sqnrDb, 'blue', size),
        ),
      ring(rows, at, y, across, up),
    ],
    wide,
  );
}

/** Around the mark that is worst alone. */
function ring(
  rows: readonly Placed[],
  at: (index: number) => number,
  y: (value: number) => number,
  [left, right]: readonly [number, number],
  up: readonly [number, number],
): Child {
  const [worst] = worstTensors(rows.map(({ row }) => row));
  const found = rows.find(({ row }) => row === worst);
  if (!found) return undefined;
  const [cx, cy] = [at(found.index), y(found.row.isolated!.sqnrDb)];
  const side = cx > right - 70 ? 'end' : cx < left + 70 ? 'start' : 'middle';
  const from = cx - (side === 'end' ? 110 : side === 'start' ? 0 : 55);
  const drawn = rows.flatMap(({ row: { isolated, accumulated }, index }) =>
    [isolated, accumulated].flatMap((error) => (error ? [[at(index), y(error.sqnrDb)] as const] : [])),
  );
  const [top, bottom] = [Math.min(...up), Math.max(...up)];
  const below = [24, -16, 40, -32, 56, -48].map((shift) => cy + shift).filter((at) => at > top + 12 && at < bottom - 4);
  const baseline = quietest(below.length > 0 ? below : [cy + 24], drawn, [from, from + 110]);
  return [
    el('circle', { cx, cy, r: 9, ...stroke('text', 1.5) }),
    el('g', { class: 'halo' }, label(cx, baseline, `worst alone: #${found.index + 1}`, side)),
  ];
}

/** The baseline, of those proposed, where a line of text between two x covers the fewest points; the first of equals. */
function quietest(
  baselines: readonly number[],
  points: readonly (readonly [x: number, y: number])[],
  [from, to]: readonly [number, number],
): number {
  const covered = baselines.map(
    (baseline) =>
      points.filter(([x, y]) => x > from - 8 && x < to + 8 && y > baseline - 18 && y < baseline + 10).length,
  );
  return baselines[covered.indexOf(Math.min(...covered))]!;
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
