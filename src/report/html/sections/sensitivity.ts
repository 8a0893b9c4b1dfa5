/** What every layer costs: the metric with this layer alone quantized, and with this layer alone left float. */
import { digits, inUnit } from '../../format.ts';
import { el, folded, name, tableOf, type Child } from '../markup.ts';
import { legend, twoWidths } from '../plot.ts';
import { rowChart, type Dot } from '../rows.ts';
import type { Section } from '../section.ts';

const most = 30;

export const sensitivity: Section = {
  id: 'sensitivity',
  title: 'Sensitivity',
  lead: 'The layer at the top pays most when it is left float.',
  render({ sensitivity: found }) {
    if (!found || found.layers.length === 0) return undefined;
    const { metric, unit, layers, base, spearman, exclude = [], until, n } = found;
    const shown = layers.slice(0, most);
    const value = (figure: number | undefined): string => (figure === undefined ? '' : inUnit(figure, unit));
    const rows = shown.map(({ node, op, fast, alone, leftFloat }) => {
      const dots: Dot[] = [{ value: alone ?? fast, ink: 'blue', shape: alone === undefined ? 'triangle' : 'circle' }];
      if (leftFloat !== undefined) dots.push({ value: leftFloat, ink: 'red', shape: 'diamond' });
      return {
        name: node,
        told: `${node} (${op}): alone ${value(alone ?? fast)}, left float ${value(leftFloat)}`,
        dots,
        text: value(alone ?? fast),
      };
    });
    const chart = (drawn: typeof rows, room: { width: number; names: number; right: number }): Child =>
      rowChart(drawn, {
        title: `${metric} layer by layer`,
        axis: `${metric}, ${unit}`,
        line: { value: base, text: `all quantized: ${value(base)}` },
        ...room,
      });
    return [
      legend(
        ['circle', 'blue', 'only this layer quantized (triangle: estimated)'],
        ['diamond', 'red', 'only this layer left float'],
        ['dash', 'text', 'everything quantized'],
      ),
      twoWidths(
        chart(rows, { width: 600, names: 30, right: 90 }),
        // The twin is for the eye alone.
        chart(
          rows.map((row) => ({ ...row, told: '' })),
          { width: 370, names: 17, right: 72 },
        ),
      ),
      el(
        'p',
        {},
        `Over ${n} samples.`,
        spearman !== undefined &&
          ` Rank correlation of the fast estimate with the measurement: ${spearman.toFixed(2)} (Spearman).`,
      ),
      exclude.length > 0 &&
        el(
          'p',
          {},
          el('b', {}, 'Shortest list found to leave float: '),
          exclude.slice(0, 50).map((node) => [name(node), ' ']),
          until && ` (${until.gate}: ${value(until.value)} without them, ${until.pass ? 'met' : 'not met'})`,
        ),
      folded(
        `All ${layers.length} layers`,
        tableOf(
          layers,
          [
            { title: 'layer', show: ({ node }) => name(node) },
            { title: 'op', show: ({ op }) => name(op) },
            { title: 'estimate', show: ({ fast }) => digits(fast, 4), value: ({ fast }) => fast },
            { title: 'alone', show: ({ alone }) => value(alone), value: ({ alone }) => alone },
            { title: 'left float', show: ({ leftFloat }) => value(leftFloat), value: ({ leftFloat }) => leftFloat },
          ],
          { caption: `${metric} by layer`, sortable: true },
        ),
      ),
    ];
  },
};
