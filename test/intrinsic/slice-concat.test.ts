import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { i64, node } from '../support/build.ts';
import { feed, fuseChecked } from './fuse.ts';

describe('slice-concat', () => {
  it('is the part when it takes one as a whole, else stays', async () => {
    const bound = fc.integer({ min: -8, max: 8 });
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          lengths: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 3 }),
          start: bound,
          end: bound,
          axis: fc.constantFrom(1, -2),
          open: fc.boolean(),
        }),
        async ({ lengths, start, end, axis, open }) => {
          const names = lengths.map((_, i) => `x${i}`);
          const dims = (length: number): (number | string)[] => [open ? 'n' : 2, length, 3];
          const { ops } = await fuseChecked(
            {
              inputs: Object.fromEntries(names.map((name, i) => [name, dims(lengths[i]!)])),
              outputs: ['y'],
              initializers: { s: i64([start]), e: i64([end]), a: i64([axis]) },
              nodes: [
                ...names.map((name) => node('Relu', [name], [`r${name}`])),
                node(
                  'Concat',
                  names.map((name) => `r${name}`),
                  ['c'],
                  { axis: -2 },
                ),
                node('Slice', ['c', 's', 'e', 'a'], ['y']),
              ],
            },
            feed(Object.fromEntries(names.map((name, i) => [name, [2, lengths[i]!, 3]]))),
          );
          const whole = lengths.flatMap((length, i) => Array.from({ length }, () => i)).slice(start, end);
          const isPart = new Set(whole).size === 1 && whole.length === lengths[whole[0]!];
          const isAll = whole.length === lengths.reduce((a, b) => a + b);
          expect(ops.includes('Slice')).toBe(!isPart && !isAll);
        },
      ),
      { numRuns: 60 },
    );
  });
});
