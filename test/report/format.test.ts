import { describe, expect, it } from 'vitest';
import { palette, table } from '../../src/report/terminal-table.ts';
import {
  bytes,
  clean,
  digits,
  distinct,
  inUnit,
  percent,
  points,
  probability,
  shorten,
  wrap,
} from '../../src/report/format.ts';

describe('numbers', () => {
  it('use the unit that fits', () => {
    expect([0, 999, 1000, 44_700_123, 2.3e9, 999_999].map(bytes)).toEqual([
      '0 B',
      '999 B',
      '1.00 kB',
      '44.7 MB',
      '2.30 GB',
      '1.00 MB',
    ]);
  });

  it('keep significant digits without exponents where possible', () => {
    expect([0, 0.0123456, 12.3456, 1234.5, 1.5e9, 1e-7].map((v) => digits(v, 3))).toEqual([
      '0.00',
      '0.0123',
      '12.3',
      '1235',
      '1.50e+9',
      '1.00e-7',
    ]);
    expect([Infinity, -Infinity, NaN].map((v) => digits(v, 3))).toEqual(['inf', '-inf', 'NaN']);
  });

  it('show changes with a sign and zero without', () => {
    expect([0.0186, -0.0186, 0, -0.00001, 0.00001].map(points)).toEqual(['+1.86', '-1.86', '0.00', '0.00', '0.00']);
    expect(percent(0.984)).toBe('98.40%');
    expect([0.343, 0.0012, 4.1e-11, 1].map(probability)).toEqual(['0.34', '0.0012', '4e-11', '1.0']);
  });

  it('stand in their unit, and tell a value from its bound', () => {
    expect(inUnit(15.453, 'dB')).toBe('15.45 dB');
    expect(inUnit(0.999123, 'a cosine')).toBe('0.99912');
    expect(distinct(0.0100004, 0.01, 'fraction')).toEqual(['1.000040%', '1.000000%']);
    expect(distinct(0.01, 0.01, 'fraction')).toEqual(['1.00%', '1.00%']);
  });
});

describe('text', () => {
  it('wraps and cuts words longer than a line', () => {
    expect(wrap('a bb ccc dddd', 6)).toEqual(['a bb', 'ccc', 'dddd']);
    expect(wrap('x abcdefghij y', 4)).toEqual(['x', 'abcd', 'efgh', 'ij y']);
    expect(wrap('', 4)).toEqual(['']);
  });

  it('shortens in the middle', () => {
    expect(shorten('/layer1/block2/conv', 11)).toBe('/lay...conv');
    expect(shorten('short', 5)).toBe('short');
  });

  it('lets no name steer the terminal', () => {
    expect(clean('a\u001b[2Jb\n\u009bc')).toBe('a?[2Jb??c');
  });
});

describe('table', () => {
  it('aligns columns and lets the first give way', () => {
    const rows = [
      ['name', 'n'],
      ['a-very-long-name', '1'],
      ['b', { text: '100', paint: palette(true).red }],
    ];
    const lines = table(rows, { width: 16, header: (text) => text });
    expect(lines).toEqual([' name          n', ' a-ve...ame    1', ' b           \u001b[31m100\u001b[39m']);
  });
});
