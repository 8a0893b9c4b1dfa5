/** Functions of one number; inputs keep away from kinks. */
import { float, scalar } from '../../support/build.ts';
import { single, spaced, uniform, type Cases } from './case.ts';

const any = { x: uniform([3, 4], -2, 2) };
const apart = { x: spaced([3, 4]) };
const above = { x: uniform([3, 4], 0.5, 2) };

export const functions: Cases = {
  Relu: single('Relu', apart),
  LeakyRelu: single('LeakyRelu', apart, { alpha: float(0.1) }),
  PRelu: single('PRelu', { ...apart, slope: uniform([4], 0.1, 0.5) }),
  'PRelu of one slope': single('PRelu', { ...apart, slope: uniform([1, 1], 0.1, 0.5) }),
  ThresholdedRelu: single('ThresholdedRelu', apart, { alpha: float(0.5) }),
  Clip: single(
    'Clip',
    apart,
    {},
    { constants: ['low', 'high'], initializers: { low: scalar('float32', -0.75), high: scalar('float32', 1) } },
  ),
  'Clip with one limit': single(
    'Clip',
    apart,
    {},
    { constants: ['low'], initializers: { low: scalar('float32', -0.5) } },
  ),
  'Clip with learned limits': single('Clip', {
    ...apart,
    low: { dims: [], data: [-0.75] },
    high: { dims: [], data: [1] },
  }),
  Sigmoid: single('Sigmoid', any),
  HardSigmoid: single('HardSigmoid', { x: spaced([3, 4], 0.75) }, { alpha: float(0.25), beta: float(0.5) }),
  HardSwish: single('HardSwish', { x: spaced([3, 4], 0.875) }),
  Softmax: single('Softmax', any),
  'Softmax over an inner axis': single('Softmax', { x: uniform([2, 3, 2], -2, 2) }, { axis: 1 }),
  LogSoftmax: single('LogSoftmax', any, { axis: 0 }),
  Neg: single('Neg', any),
  Reciprocal: single('Reciprocal', above, {}, { step: 2 ** -6 }),
  Sqrt: single('Sqrt', above),
  Log: single('Log', above),
  Exp: single('Exp', any),
  Abs: single('Abs', apart),
  Erf: single('Erf', any),
  Sin: single('Sin', any),
  Cos: single('Cos', any),
  Tanh: single('Tanh', any),
  Softplus: single('Softplus', any),
  Softsign: single('Softsign', apart),
  Elu: single('Elu', apart, { alpha: float(0.5) }),
  Selu: single('Selu', apart),
  Celu: single('Celu', apart, { alpha: float(0.5) }),
  Mish: single('Mish', any),
  Gelu: single('Gelu', any, {}, { opset: 20 }),
  'Gelu by tanh': single('Gelu', any, { approximate: 'tanh' }, { opset: 20 }),
  Identity: single('Identity', any),
  Cast: single('Cast', any, { to: 1 }),
  Dropout: single('Dropout', any),
};
