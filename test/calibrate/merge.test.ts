/** Shards merge to the bytes of one run, in any order and grouping; whatever does not belong together is refused. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeStates, type NamedState } from '../../src/calibrate/merge.ts';
import { readState, writeState, type CalibrationState } from '../../src/calibrate/state.ts';

const hash = (letter: string): string => letter.repeat(64);
const folder = mkdtempSync(join(tmpdir(), 'qdq-merge-'));

function bytesOf(state: CalibrationState): Buffer {
  const path = join(folder, 'state');
  writeState(path, state);
  return readFileSync(path);
}

function shard(index: number, count: number, change: Partial<CalibrationState> = {}): NamedState {
  const state: CalibrationState = {
    modelSha256: hash('a'),
    tensors: ['x', 'y'],
    observer: 'minmax',
    observerOptions: {},
    source: `disk${index}/images`,
    format: 'image-folder',
    synthetic: false,
    preprocess: 'crop=224',
    samples: index,
    idsHash: hash('b'),
    shards: { count, parts: [{ index, samples: index, idsHash: hash(String(index)) }] },
    notes: ['the same'],
    arrays: { min: Float32Array.of(-index, 0), max: Float32Array.of(1, index) },
    ...change,
  };
  return { path: `shard${index}.state`, state };
}

const five = [1, 2, 3, 4, 5].map((index) => shard(index, 5));

describe('mergeStates', () => {
  it('gives one state without a trace of shards', () => {
    const { shards, ...merged } = mergeStates(five);
    expect(shards).toBeUndefined();
    expect(merged).toEqual({
      ...Object.fromEntries(Object.entries(five[0]!.state).filter(([key]) => key !== 'shards')),
      samples: 15,
      arrays: { min: Float32Array.of(-5, 0), max: Float32Array.of(1, 5) },
    });
  });

  it('gives the same bytes in any order and grouping', () => {
    const reference = bytesOf(mergeStates(five));
    const orders = fc.shuffledSubarray(five, { minLength: 5 });
    fc.assert(
      fc.property(orders, fc.integer({ min: 1, max: 4 }), (order, cut) => {
        const groups = [order.slice(0, cut), order.slice(cut)].map((group, i) => ({
          path: `group${i}`,
          state: mergeStates(group, { partial: true }),
        }));
        expect(bytesOf(mergeStates(order))).toEqual(reference);
        expect(bytesOf(mergeStates(groups))).toEqual(reference);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps book of a partial merge, in the file too', () => {
    const state = mergeStates([five[3]!, five[1]!], { partial: true });
    expect(state.shards).toEqual({
      count: 5,
      parts: [
        { index: 2, samples: 2, idsHash: hash('2') },
        { index: 4, samples: 4, idsHash: hash('4') },
      ],
    });
    const path = join(folder, 'some.state');
    writeState(path, state);
    expect(readState(path)).toEqual(state);
  });

  it('names missing shards', () => {
    expect(() => mergeStates([five[4]!, five[0]!, five[2]!])).toThrow(
      expect.objectContaining({ code: 'MERGE_MISSING', message: 'shards 2/5, 4/5 missing' }),
    );
  });

  it('names both files of a shard that is there twice, also inside a partial merge', () => {
    const twice = [five[0]!, { ...five[1]!, path: 'a.state' }, { ...five[1]!, path: 'b.state' }];
    expect(() => mergeStates(twice, { partial: true })).toThrow(
      expect.objectContaining({ code: 'MERGE_DUPLICATE', message: 'a.state and b.state both hold shard 2/5' }),
    );
    const some = { path: 'some.state', state: mergeStates(five.slice(0, 2), { partial: true }) };
    expect(() => mergeStates([...five, some])).toThrow(expect.objectContaining({ code: 'MERGE_DUPLICATE' }));
  });

  it.each([
    ['MERGE_MODEL', { modelSha256: hash('c') }],
    ['MERGE_OBSERVER', { observer: 'entropy' }],
    ['MERGE_OPTIONS', { observerOptions: { percentile: 99 } }],
    ['MERGE_PREPROCESS', { preprocess: 'crop=227' }],
    ['MERGE_PREPROCESS', { preprocess: undefined }],
    ['MERGE_DATA', { format: 'npz' }],
    ['MERGE_TENSORS', { tensors: ['x', 'z'] }],
    ['MERGE_TENSORS', { tensors: ['y', 'x'] }],
    ['MERGE_SELECTION', { idsHash: hash('d') }],
    ['MERGE_SHARD_COUNT', { shards: { count: 3, parts: [{ index: 2, samples: 2, idsHash: hash('2') }] } }],
    ['MERGE_NOT_A_SHARD', { shards: undefined }],
  ] as const)('refuses %s %j and names the files', (code, change) => {
    const states = [shard(1, 2), shard(2, 2, change)];
    expect(() => mergeStates(states)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining('shard2.state') }),
    );
  });
});
