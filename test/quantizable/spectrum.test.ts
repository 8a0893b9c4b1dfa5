import { describe, expect, it } from 'vitest';
import { ortCpuX64 } from '../../src/backends/targets/onnxruntime-cpu.ts';
import type { NodeProto } from '../../src/onnx/messages.ts';
import { planQuantization, type PlanRequest } from '../../src/quantizable/planner.ts';
import { buildModel, f32, i64, node, scalar } from '../support/build.ts';

/** A convolution with sines and cosines, some way to the magnitude, and a convolution that reads it. */
function frontEnd(middle: readonly NodeProto[], more: Partial<PlanRequest> = {}): Record<string, string> {
  const model = buildModel({
    inputs: { x: [1, 1, 64] },
    initializers: {
      basis: f32([8, 1, 16]),
      w: f32([4, 4, 1]),
      two: scalar('float32', 2),
      three: scalar('float32', 3),
      tiny: scalar('float32', 1e-6),
      axes: i64([1]),
      zero: i64([0]),
      four: i64([4]),
      eight: i64([8]),
    },
    nodes: [
      node('Conv', ['x', 'basis'], ['c'], {}, { name: 'stft' }),
      node('Slice', ['c', 'zero', 'four', 'axes'], ['re']),
      node('Slice', ['c', 'four', 'eight', 'axes'], ['im']),
      ...middle,
      node('Conv', ['m', 'w'], ['a'], {}, { name: 'reader' }),
      node('Conv', ['a', 'w'], ['y'], {}, { name: 'last' }),
    ],
    outputs: ['y'],
  });
  const { float } = planQuantization(model, { target: ortCpuX64, scheme: ortCpuX64.scheme, ...more });
  return Object.fromEntries(float.filter(({ op }) => op === 'Conv').map(({ node: name, reason }) => [name, reason]));
}

const pow = (from: string, to: string, exponent = 'two') => node('Pow', [from, exponent], [to]);
const power = [pow('re', 'r2'), pow('im', 'i2'), node('Add', ['r2', 'i2'], ['p'])];
const squared = 'its result is only squared, which doubles the error that 8 bits make';
const spectrum = (name: string) =>
  `its input '${name}' is a spectrum (sum of two squares), whose magnitudes 8 bits do not resolve`;

describe('the spectral front end', () => {
  it.each([
    ['√(re² + im²)', [...power, node('Sqrt', ['p'], ['m'])]],
    [
      '√(re·re + im·im + ε)',
      [
        node('Mul', ['re', 're'], ['r2']),
        node('Mul', ['im', 'im'], ['i2']),
        node('Add', ['r2', 'i2'], ['p']),
        node('Add', ['p', 'tiny'], ['q']),
        node('Sqrt', ['q'], ['m']),
      ],
    ],
    ['re² + im², moved', [...power, node('Identity', ['p'], ['m'])]],
  ])('%s stays float on both sides', (_, middle) => {
    expect(frontEnd(middle)).toEqual({ stft: squared, reader: spectrum('m') });
  });

  it('runs in int8 when the user names it', () => {
    expect(frontEnd([...power, node('Sqrt', ['p'], ['m'])], { include: ['Conv'] })).toEqual({});
  });

  it.each([
    ['other powers', [pow('re', 'r3', 'three'), pow('im', 'i3', 'three'), node('Add', ['r3', 'i3'], ['m'])]],
    ['a logarithm', [...power, node('Log', ['p'], ['m'])], squared],
    [
      'a norm, which reads its input again',
      [pow('re', 'r2'), node('Sqrt', ['r2'], ['n']), node('Div', ['re', 'n'], ['m'])],
    ],
  ] as const)('%s is none', (_, middle, stft?: string) => {
    expect(frontEnd(middle)).toEqual(stft === undefined ? {} : { stft });
  });
});
