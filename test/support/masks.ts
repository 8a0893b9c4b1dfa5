/** The ways in which attention masks are written, for models of support/attention.ts with 8 tokens. */
import { f32, i64, node, scalar, type Constant } from './build.ts';
import type { AttentionOptions } from './attention.ts';

const tokens = 8;
const lowest = -3.4028234663852886e38;
const step = (op: string, from: string[], to: string, attributes = {}) =>
  node(op, from, [to], attributes, { name: to });
const causal = (low: number, high = 0): Constant =>
  f32(
    [1, tokens, tokens],
    Array.from({ length: tokens ** 2 }, (_, i) => (i % tokens <= Math.floor(i / tokens) ? high : low)),
  );
const allowed: Constant = {
  type: 'bool',
  dims: [1, tokens, tokens],
  data: Uint8Array.from({ length: tokens ** 2 }, (_, i) => (i % tokens <= Math.floor(i / tokens) ? 1 : 0)),
};
/** One row in which nothing is left, as padding on the left makes it. */
const holed: Constant = {
  ...allowed,
  data: Uint8Array.from(allowed.data as Uint8Array, (x, i) => (i < tokens ? 0 : x)),
};
const bias: Constant = f32(
  [1, tokens, tokens],
  Array.from({ length: tokens ** 2 }, (_, i) => (i % tokens <= Math.floor(i / tokens) ? Math.sin(i) : -1e9)),
);
const one = scalar('float32', 1);
const zero = scalar('float32', 0);

export const masks: Readonly<Record<string, AttentionOptions>> = {
  'Add of -1e4': { mask: [step('Add', ['scaled', 'm'], 'masked')], initializers: { m: causal(-1e4) } },
  'Add of the lowest float': { mask: [step('Add', ['m', 'scaled'], 'masked')], initializers: { m: causal(lowest) } },
  'Add of minus infinity': { mask: [step('Add', ['scaled', 'm'], 'masked')], initializers: { m: causal(-Infinity) } },
  'Add of a bias that is a mask too': { mask: [step('Add', ['scaled', 'm'], 'masked')], initializers: { m: bias } },
  'Sub of 1e30': { mask: [step('Sub', ['scaled', 'm'], 'masked')], initializers: { m: causal(1e30) } },
  'Where with minus infinity': {
    mask: [step('Where', ['a', 'scaled', 'low'], 'masked')],
    initializers: { a: allowed, low: scalar('float32', -Infinity) },
  },
  'Where, then Div': {
    mask: [step('Where', ['a', 'scaled', 'low'], 'filled'), step('Div', ['filled', 'd'], 'masked')],
    initializers: { a: allowed, low: scalar('float32', lowest), d: scalar('float32', 2) },
  },
  'computed from ones and zeros': {
    mask: [
      step('Cast', ['a'], 'cast', { to: 1 }),
      step('Sub', ['one', 'cast'], 'rest'),
      step('Mul', ['rest', 'low'], 'far'),
      step('Add', ['scaled', 'far'], 'masked'),
    ],
    initializers: { a: allowed, one, low: scalar('float32', -1e4) },
  },
  'Where over zeros, expanded': {
    mask: [
      step('Where', ['a', 'zero', 'low'], 'far'),
      step('Expand', ['far', 'shape'], 'wide'),
      step('Add', ['scaled', 'wide'], 'sum'),
      step('Max', ['sum', 'least'], 'masked'),
    ],
    initializers: {
      a: allowed,
      zero,
      low: scalar('float32', -Infinity),
      shape: i64([1, 8, 8]),
      least: scalar('float32', lowest),
    },
  },
  'two masks': {
    mask: [step('Add', ['scaled', 'm'], 'first'), step('Where', ['a', 'first', 'low'], 'masked')],
    initializers: { m: causal(-1e9), a: allowed, low: scalar('float32', -Infinity) },
  },
  'a row without anything': {
    mask: [step('Where', ['a', 'scaled', 'low'], 'masked')],
    initializers: { a: holed, low: scalar('float32', lowest) },
  },
};
