/** Every case, by name; the first word of a name is the operator. */
import { arithmetic } from './arithmetic.ts';
import type { Cases } from './case.ts';
import { convolution } from './convolution.ts';
import { functions } from './functions.ts';
import { normalizations } from './normalizations.ts';
import { reductions } from './reductions.ts';
import { resizes } from './resizes.ts';
import { shapes } from './shapes.ts';

export const cases: Cases = {
  ...convolution,
  ...arithmetic,
  ...functions,
  ...shapes,
  ...reductions,
  ...normalizations,
  ...resizes,
};
