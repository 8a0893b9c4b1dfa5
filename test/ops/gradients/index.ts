/** Every case, by name; the first word of a name is the operator. */
import { arithmetic } from './arithmetic.ts';
import type { Cases } from './case.ts';
import { convolution } from './convolution.ts';
import { functions } from './functions.ts';
import { reductions } from './reductions.ts';
import { shapes } from './shapes.ts';

export const cases: Cases = { ...convolution, ...arithmetic, ...functions, ...shapes, ...reductions };
