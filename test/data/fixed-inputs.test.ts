import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { carrier, checkCarry, fixInputs, withFixed } from '../../src/data/fixed-inputs.ts';
import { openData } from '../../src/data/open.ts';
import { chooseSequences } from '../../src/data/selection.ts';
import { failure, input, npyFile, readAll, temporaryFolder } from './helpers.ts';

const inputs = [input('x', ['N', 2]), input('sr', [], 'int64'), input('state', [2, 'N', 1])];

describe('fixed inputs', () => {
  it('join every sample, and leave the rest to the data', async () => {
    const path = join(temporaryFolder(), 'x.npy');
    writeFileSync(path, npyFile('<f4', [2, 2], Float32Array.of(1, 2, 3, 4)));
    const fixed = fixInputs(['sr=16000'], ['stateN=state'], inputs);
    expect(fixed.rest).toEqual([inputs[0]]);
    const dataset = withFixed(await openData({ path }, fixed.rest), fixed);
    expect(dataset).toMatchObject({ carry: [{ output: 'stateN', input: 'state' }], preprocess: 'sr=16000', count: 2 });
    expect((await readAll(dataset, [1]))[0]!.inputs).toEqual({
      x: { type: 'float32', dims: [1, 2], data: Float32Array.of(3, 4) },
      sr: { type: 'int64', dims: [], data: BigInt64Array.of(16000n) },
      state: { type: 'float32', dims: [2, 1, 1], data: new Float32Array(2) },
    });
  });

  it.each<[string, string[], string[]]>([
    ['DATA_INPUT_VALUE', ['sr'], []],
    ['DATA_INPUT_VALUE', ['sr=fast'], []],
    ['DATA_INPUT_VALUE', ['sr='], []],
    ['DATA_INPUT_VALUE', ['sr=1', 'sr=2'], []],
    ['DATA_INPUT_VALUE', ['sr=1', 'x=2', 'state=3'], []],
    ['DATA_RANGE', ['sr=1.5'], []],
    ['DATA_INPUT_UNKNOWN', ['rs=1'], []],
    ['DATA_INPUT_UNKNOWN', [], ['stateN=stat']],
    ['DATA_CARRY', [], ['stateN']],
  ])('are refused with %s: %j %j', async (code, constants, carried) => {
    expect((await failure(() => fixInputs(constants, carried, inputs))).code).toBe(code);
  });
});

describe('carrier', () => {
  const value = (...data: number[]) => ({
    type: 'float32' as const,
    dims: [data.length],
    data: Float32Array.from(data),
  });
  const batch = (sequence: string | undefined) => ({
    ids: ['s'],
    inputs: { x: value(1), h: value(0) },
    labels: undefined,
    size: 1,
    samples: [],
    sequence,
  });

  it('feeds outputs back until the sequence ends', () => {
    const state = carrier([{ output: 'hn', input: 'h' }]);
    const step = (sequence: string | undefined, next: number): number => {
      const fed = state.feeds(batch(sequence))['h']!.data[0] as number;
      state.keep({ hn: value(next), y: value(9) });
      return fed;
    };
    expect([step('a', 5), step('a', 6), step('b', 7), step('b', 8), step('a', 9)]).toEqual([0, 5, 0, 7, 0]);
  });

  it('refuses what does not fit', async () => {
    const state = carrier([{ output: 'hn', input: 'h' }]);
    state.feeds(batch('a'));
    expect((await failure(() => state.keep({ hn: value(1, 2) }))).code).toBe('DATA_CARRY');
    const error = await failure(() => checkCarry([{ output: 'stateM', input: 'h' }], ['y', 'stateN']));
    expect([error.code, error.hint]).toEqual(['DATA_CARRY', expect.stringContaining("'stateN'")]);
  });
});

describe('chooseSequences', () => {
  it('draws whole sequences and cuts the last', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { chosen, rest } = chooseSequences([3, 2, 4, 1], 5, seed);
      const all = [...(chosen as number[]), ...(rest as number[])].sort((a, b) => a - b);
      expect(all).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(chosen).toHaveLength(5);
      // What is chosen of a sequence is its beginning.
      for (const [start, length] of [
        [0, 3],
        [3, 2],
        [5, 4],
        [9, 1],
      ] as const) {
        const inside = (chosen as number[]).filter((position) => position >= start && position < start + length);
        expect(inside).toEqual(inside.map((_, i) => start + i));
      }
    }
    expect(chooseSequences([3, 2], 9, 0)).toMatchObject({
      chosen: [0, 1, 2, 3, 4],
      rest: [],
      note: expect.any(String),
    });
  });
});
