/** How fine-tuning went: loss, what the judging samples said, and the learning rate, step by step. */
import type { Training } from '../../../compare/report.ts';
import { digits, inUnit } from '../../format.ts';
import { trainingWords } from '../../words.ts';
import { el, folded, tableOf, type Child } from '../markup.ts';
import { extent, inside, legend, linear, mark, plot, polyline, type Axes, type Frame, type Scale } from '../plot.ts';
import type { Section } from '../section.ts';

/** Narrow enough to be read on a phone without scrolling. */
const width = 500;

export const training: Section = {
  id: 'training',
  title: 'Training',
  lead: 'A loss that still falls at the end asks for more steps; one that jumps asks for a lower learning rate.',
  render({ training: found }) {
    if (!found || found.curve.length < 2) return undefined;
    const { curve, evaluations, metric } = found;
    const unit = metric === 'sqnr' ? 'dB' : 'fraction';
    const judged = metric !== undefined && evaluations.length > 1;
    return [
      el('p', {}, `${trainingWords(found)}.`),
      legend(['bar', 'blue', 'loss, learning rate'], ...(judged ? [['circle', 'red', metric] as const] : [])),
      lossPlot(found),
      judged && metricPlot(found, metric, unit),
      ratePlot(found),
      folded(
        `All ${curve.length} points`,
        tableOf(
          curve,
          [
            { title: 'step', show: ({ step }) => String(step), value: ({ step }) => step },
            { title: 'loss', show: ({ loss }) => digits(loss, 4), value: ({ loss }) => loss },
            { title: 'learning rate', show: ({ lr }) => digits(lr, 3), value: ({ lr }) => lr },
          ],
          { caption: 'Loss and learning rate by step', sortable: true },
        ),
      ),
      judged &&
        folded(
          `All ${evaluations.length} evaluations`,
          tableOf(
            evaluations,
            [
              { title: 'step', show: ({ step }) => String(step), value: ({ step }) => step },
              { title: metric, show: ({ value }) => inUnit(value, unit), value: ({ value }) => value },
            ],
            { caption: `${metric} by step`, sortable: true },
          ),
        ),
    ];
  },
};

/** Ticks are round numbers; very small ones are shorter with an exponent. */
function tick(value: number): string {
  const text = String(value);
  return text.length <= 6 ? text : value.toExponential();
}

/** All plots have the same steps below each other. */
function steps(frame: Frame, { steps: last }: Training): Scale {
  return linear([0, last], inside(frame).x, 6);
}

function drawn(frame: Frame, axes: Axes, marks: Child): Child {
  return plot(frame, axes, marks);
}

function lossPlot(found: Training): Child {
  const { curve } = found;
  const frame = { width, height: 230, left: 62, title: 'Loss by step' };
  const [, high] = extent(
    curve.map(({ loss }) => loss),
    [0, 1],
  );
  const low = Math.min(0, ...curve.map(({ loss }) => loss));
  const [x, y] = [steps(frame, found), linear([low, high], inside(frame).y, 5)];
  const axes = { x, y, xLabel: 'step', yLabel: 'loss', yText: tick };
  return drawn(
    frame,
    axes,
    polyline(
      curve.map(({ step, loss }) => [x(step), y(loss)]),
      'blue',
    ),
  );
}

function metricPlot(found: Training, metric: string, unit: 'dB' | 'fraction'): Child {
  const { evaluations } = found;
  const frame = { width, height: 200, left: 62, title: `${metric} by step` };
  const range = extent(
    evaluations.map(({ value }) => value),
    [0, 1],
    0.1,
  );
  const [x, y] = [steps(frame, found), linear(range, inside(frame).y, 4)];
  const yText = (value: number): string => (unit === 'dB' ? tick(value) : `${Number((100 * value).toFixed(2))}%`);
  const axes = { x, y, xLabel: 'step', yLabel: unit === 'dB' ? `${metric}, dB` : metric, yText };
  const size = evaluations.length > 100 ? 2 : 4;
  return drawn(frame, axes, [
    polyline(
      evaluations.map(({ step, value }) => [x(step), y(value)]),
      'red',
    ),
    evaluations.map(({ step, value }) =>
      mark('circle', x(step), y(value), 'red', `step ${step}: ${inUnit(value, unit)}`, undefined, size),
    ),
  ]);
}

function ratePlot(found: Training): Child {
  const { curve } = found;
  const frame = { width, height: 150, left: 62, title: 'Learning rate by step' };
  const top = curve.reduce((most, { lr }) => Math.max(most, lr), 0);
  const [x, y] = [steps(frame, found), linear([0, top * 1.05 || 1], inside(frame).y, 3)];
  const axes = { x, y, xLabel: 'step', yLabel: 'rate', yText: tick };
  return drawn(
    frame,
    axes,
    polyline(
      curve.map(({ step, lr }) => [x(step), y(lr)]),
      'blue',
    ),
  );
}
