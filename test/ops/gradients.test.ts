/** Every operator's gradient against central differences of its own forward kernel. */
import { describe, expect, it } from 'vitest';
import { differentiableTypes } from '../../src/ops/index.ts';
import { checkGradients } from './gradients/check.ts';
import { cases } from './gradients/index.ts';

/** Fake quantizers are step functions: their gradient is checked by its closed form. */
const elsewhere = ['QuantizeLinear', 'DequantizeLinear'];

describe('gradients', () => {
  it.each(Object.entries(cases))('of %s', (_, each) => checkGradients(each));

  it('have a case for every operator', () => {
    const tested = new Set([...Object.keys(cases).map((name) => name.split(' ')[0]!), ...elsewhere]);
    expect(differentiableTypes.filter((type) => !tested.has(type))).toEqual([]);
  });
});
