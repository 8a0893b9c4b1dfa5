import { describe, expect, it } from 'vitest';
import { didYouMean, nearest } from '../../src/errors/qdq-error.ts';

describe('nearest', () => {
  it('finds the candidate a typo was meant for', () => {
    expect(nearest('obsrever', ['output', 'observer', 'observe-all'])).toBe('observer');
    expect(nearest('covn', ['Conv', 'conv', 'Gemm'])).toBe('conv');
  });

  it('stays silent when nothing is near', () => {
    expect(nearest('zebra', ['observer', 'output'])).toBeUndefined();
    expect(nearest('x', [])).toBeUndefined();
  });

  it('falls back to general advice', () => {
    expect(didYouMean('zebra', ['output'], 'see --help')).toBe('see --help');
    expect(didYouMean('ouptut', ['output'], 'see --help')).toBe("did you mean 'output'?");
  });
});
