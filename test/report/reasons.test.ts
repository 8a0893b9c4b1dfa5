/** Nodes with the same reason share two lines; a list that is cut says where the rest is. */
import { expect, it } from 'vitest';
import { palette } from '../../src/report/terminal-table.ts';
import { reasonLines } from '../../src/report/reasons.ts';

const nodes = (count: number, op: string, reason: string) =>
  Array.from({ length: count }, (_, k) => ({ name: `${op.toLowerCase()}${k}`, op, reason }));
const show = (all: ReturnType<typeof nodes>, byCount = false): string[] =>
  reasonLines(all, { ink: palette(false), width: 80, whole: 'see the report', byCount });

it('groups by reason, in the order given or the largest group first', () => {
  const all = [...nodes(1, 'Gelu', 'no kernel'), ...nodes(2, 'Add', 'nothing feeds it')];
  expect(show(all)).toEqual([
    '   1 no kernel',
    '     gelu0 (Gelu)',
    '   2 nothing feeds it',
    '     add0 (Add), add1 (Add)',
  ]);
  expect(show(all, true)[0]).toBe('   2 nothing feeds it');
});

it('says what it leaves out, of names and of reasons', () => {
  expect(show(nodes(8, 'Add', 'r')).slice(1)).toEqual([expect.stringMatching(/ and 2 more$/), '   see the report']);
  const many = Array.from({ length: 8 }, (_, k) => nodes(1, 'Add', `reason ${k}`)).flat();
  expect(show(many).at(-1)).toBe('   2 nodes with other reasons; see the report');
});
