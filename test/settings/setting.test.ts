import { describe, expect, it } from 'vitest';
import {
  choice,
  flag,
  flagName,
  integer,
  keyName,
  list,
  negatablePath,
  path,
  readText,
  readValue,
  text,
} from '../../src/settings/setting.ts';

const basics = { group: 'G', describe: 'd', stages: ['quantize'] } as const;

describe('readText', () => {
  it.each(['1', '+7', '64'])('takes whole number %s', (raw) => {
    expect(readText(integer({ ...basics, min: 1 }), raw)).toEqual({ value: Number(raw) });
  });

  it.each(['', 'eight', '1.5', '1e3', '0x10', ' 8', '8 ', 'NaN', 'Infinity', '-1', '0', '1_000'])(
    'refuses %j',
    (raw) => {
      expect(readText(integer({ ...basics, min: 1 }), raw)).toMatchObject({
        problem: expect.stringContaining('is not a whole number of at least 1'),
      });
    },
  );

  it('never makes a number of a text setting', () => {
    expect(readText(text({ ...basics, expects: 'a name' }), '007')).toEqual({ value: '007' });
  });
});

describe('readValue', () => {
  it('refuses the wrong type with both in words', () => {
    expect(readValue(flag(basics), 'yes')).toEqual({ problem: "'yes' is not true or false", hint: undefined });
    expect(readValue(integer({ ...basics, min: 0 }), '3')).toMatchObject({
      problem: "'3' is not a whole number of at least 0",
    });
    expect(readValue(path(basics), { a: 1 })).toMatchObject({ problem: '{"a":1} is not a path' });
  });

  it('names the nearest choice', () => {
    expect(readValue(choice(['minmax', 'entropy'], basics), 'entorpy')).toEqual({
      problem: "'entorpy' is not one of minmax, entropy",
      hint: "did you mean 'entropy'?",
    });
  });

  it('takes one string for a list of one', () => {
    const names = list({ ...basics, expects: 'a name' });
    expect(readValue(names, 'a')).toEqual({ value: ['a'] });
    expect(readValue(names, ['a', 'b'])).toEqual({ value: ['a', 'b'] });
    expect(readValue(names, ['a', ''])).toHaveProperty('problem');
  });

  it('takes false for a path that can be switched off', () => {
    expect(readValue(negatablePath(basics), false)).toEqual({ value: false });
    expect(readValue(negatablePath(basics), true)).toHaveProperty('problem');
  });
});

it('maps flag names and keys onto each other', () => {
  expect(flagName('activationType')).toBe('activation-type');
  expect(keyName('activation-type')).toBe('activationType');
});
