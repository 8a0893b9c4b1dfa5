/** Sick here, or inheriting damage? And how far every quantizer is from ideal rounding. */
import type { TensorRow } from '../../../compare/report.ts';
import { digits } from '../../format.ts';
import { el, type Child } from '../markup.ts';
import { extent, inside, label, legend, linear, mark, plot, stroke, type Frame } from '../plot.ts';
import type { Section } from '../section.ts';
import { told } from './along.ts';

type Placed = readonly [row: TensorRow, index: number];

export const scatter: Section = {
  id: 'scatter',
  title: 'Sick here, or inherited',
  render({ tensors = [] }) {
    const rows = tensors.map((row, index): Placed => [row, index]);
    const both = rows.filter(([{ isolated, accumulated }]) => isolated !== undefined && accumulated !== undefined);
    const alone = rows.filter(([{ isolated }]) => isolated !== undefined && isolated.rmseOverScale > 0);
    const halves = [both.length > 1 && damage(both), alone.length > 1 && rounding(alone)].filter(
      (half) => half !== false,
    );
    return halves.length === 0 ? undefined : el('div', { class: 'two' }, halves);
  },
};

function damage(rows: readonly Placed[]): Child {
  const frame: Frame = { width: 420, height: 320, title: 'Isolated against accumulated SQNR of every activation' };
  const { x: across, y: up } = inside(frame);
  const values = rows.flatMap(([{ isolated, accumulated }]) => [isolated!.sqnrDb, accumulated!.sqnrDb]);
  const [low, high] = extent(values, [0, 50]);
  const domain: [number, number] = [Math.min(low, 10), Math.min(high, 80)];
  const [x, y] = [linear(domain, across), linear(domain, up)];
  return el(
    'figure',
    {},
    el(
      'figcaption',
      {},
      'Left: sick by itself. Low on the right: healthy, but fed with errors. On the line: all harm is its own.',
    ),
    plot(frame, { x, y, xLabel: 'SQNR alone, dB', yLabel: 'SQNR whole, dB' }, [
      el('line', {
        x1: x(domain[0]),
        y1: y(domain[0]),
        x2: x(domain[1]),
        y2: y(domain[1]),
        ...stroke('text', 1, true),
      }),
      rows.map(([row, index]) =>
        mark('circle', x(row.isolated!.sqnrDb), y(row.accumulated!.sqnrDb), 'blue', told(row, index), index),
      ),
    ]),
  );
}

/** Root mean square error of ideal rounding, in scales: 1/√12. */
const ideal = 1 / Math.sqrt(12);

function rounding(rows: readonly Placed[]): Child {
  const frame: Frame = {
    width: 420,
    height: 320,
    title: 'rmse/scale of every quantizer, on a logarithmic axis',
    top: 30,
  };
  const { x: across, y: up } = inside(frame);
  const logs = rows.map(([{ isolated }]) => Math.log2(isolated!.rmseOverScale));
  const [low, high] = extent([...logs, Math.log2(ideal) - 1, Math.log2(ideal) + 1], [-3, 0]);
  const powers = linear([low, high], across, 5);
  const x = Object.assign((value: number) => powers(value), { ticks: powers.ticks.filter(Number.isInteger) });
  const y = linear([0, rows.at(-1)![1] + 2], up, 5);
  return el(
    'figure',
    {},
    el(
      'figcaption',
      {},
      'Ideal rounding makes an error of 0.289 scales (dashed). Right of it: clipping. Left: codes that go unused, or values that are exact.',
    ),
    legend(['circle', 'blue', 'activation'], ['triangle', 'red', 'weight']),
    plot(
      frame,
      {
        x,
        y,
        xLabel: 'rmse / scale',
        yLabel: 'tensor, in the order of the graph',
        xText: (value) => String(Number((2 ** value).toPrecision(3))),
      },
      [
        el('line', {
          x1: x(Math.log2(ideal)),
          x2: x(Math.log2(ideal)),
          y1: up[0],
          y2: up[1],
          ...stroke('text', 1.5, true),
        }),
        label(x(Math.log2(ideal)), 22, '0.289', 'middle'),
        rows.map(([row, index], order) =>
          mark(
            row.kind === 'weight' ? 'triangle' : 'circle',
            x(logs[order]!),
            y(index + 1),
            row.kind === 'weight' ? 'red' : 'blue',
            `${told(row, index)}, rmse/scale ${digits(row.isolated!.rmseOverScale, 3)}`,
            index,
            3,
          ),
        ),
      ],
    ),
  );
}
