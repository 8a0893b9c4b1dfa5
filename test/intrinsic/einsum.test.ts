import { describe, expect, it } from 'vitest';
import { node, type ModelSpec } from '../support/build.ts';
import { expectRefusal, feed, fuseChecked, unit } from './fuse.ts';

/** Sizes by label; |x| ≤ 1, at most 5 products summed in two orders. */
const sizes: Readonly<Record<string, number>> = { b: 2, h: 3, i: 4, j: 5, d: 5, k: 3, s: 4, t: 2 };
const tolerance = 2 * 6 * unit * 5;

function equation(text: string): { spec: ModelSpec; feeds: ReturnType<typeof feed> } {
  const [a, b] = text.split('->')[0]!.split(',') as [string, string];
  const dims = (labels: string): number[] => [...labels].map((label) => sizes[label]!);
  const spec: ModelSpec = {
    opset: 13,
    inputs: { a: dims(a), b: dims(b) },
    outputs: ['y'],
    nodes: [node('Einsum', ['a', 'b'], ['y'], { equation: text })],
  };
  return { spec, feeds: feed({ a: dims(a), b: dims(b) }) };
}

describe('einsum', () => {
  it.each([
    ['id,dj->ij', ['MatMul']],
    ['id,jd->ij', ['Transpose', 'MatMul']],
    ['bid,bdj->bij', ['MatMul']],
    ['bhid,bhjd->bhij', ['Transpose', 'MatMul']],
    ['bihd,bjhd->bhij', ['Transpose', 'Transpose', 'MatMul']],
    ['bhij,bjhd->bihd', ['Transpose', 'MatMul', 'Transpose']],
    ['bsd,dk->bsk', ['MatMul']],
    ['bsd,kd->bsk', ['Transpose', 'MatMul']],
    ['id,dj->ji', ['MatMul', 'Transpose']],
  ])('makes a MatMul of %s', async (text, expected) => {
    const { spec, feeds } = equation(text);
    const { ops, log } = await fuseChecked(spec, feeds, tolerance, [], expected.length - 1);
    expect(ops).toEqual(expected);
    expect(log.applied[0]).toEqual({ pass: 'einsum', nodes: ['n_y'], into: 'n_y' });
  });

  it.each([
    ['ij,ij->ij', /no product of two matrices/],
    ['bid,bdj->bi', /sums over an axis of one operand/],
    ['id,d->i', /no product of two matrices/],
    ['bsd,dhk->bshk', /no product of two matrices/],
  ])('leaves %s', async (text, reason) => {
    const { spec, feeds } = equation(text);
    await expectRefusal(spec, feeds, 'einsum', 'n_y', reason);
  });
});
