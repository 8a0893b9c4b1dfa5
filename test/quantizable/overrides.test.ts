/** What --override says, word by word. */
import { describe, expect, it } from 'vitest';
import { parseOverride } from '../../src/quantizable/overrides.ts';

describe('parseOverride', () => {
  it.each([
    ['Conv: weight-type=s4', 'Conv', { weightType: 'int4' }],
    ['/a:b/: activation-type=u16,symmetric=true', '/a:b/', { activationType: 'uint16', symmetric: true }],
    ['a::b/c:0 : format=float', 'a::b/c:0', { format: 'float' }],
    [
      'head:format=weight-only weight-bits=8, block-size=64, weight-method=hqq accuracy-level=1',
      'head',
      { format: 'weight-only', weightBits: 8, blockSize: 64, weightMethod: 'hqq', accuracyLevel: 1 },
    ],
    [
      'x: per-tensor=false reduce-range=true weight-observer=mse',
      'x',
      { perTensor: false, reduceRange: true, weightObserver: 'mse' },
    ],
  ])('%s', (text, pattern, settings) => {
    expect(parseOverride(text)).toEqual({ text, pattern, settings });
  });

  it.each([
    ['', 'OVERRIDE_SYNTAX'],
    [': format=float', 'OVERRIDE_SYNTAX'],
    ['x:', 'OVERRIDE_SYNTAX'],
    ['x: format=', 'OVERRIDE_SYNTAX'],
    ['x: constructor=1', 'OVERRIDE_KEY'],
    ['x: per-tensor=yes', 'OVERRIDE_VALUE'],
    ['x: block-size=3.5', 'OVERRIDE_VALUE'],
    ['x: format=flaot', 'OVERRIDE_VALUE'],
  ])('%j: %s', (text, code) => {
    expect(() => parseOverride(text)).toThrow(expect.objectContaining({ code }));
  });
});
