/** The words that all parts of the report's schema are made of. */
import { z } from 'zod';

/** JSON has no NaN and no infinities: they are strings in files and numbers in memory. (Of an enum TypeScript would publish invalid types: its keys look like numbers.) */
export const real = z.union([z.number(), z.literal(['NaN', 'Infinity', '-Infinity']).transform(Number)]);
export const count = z.int().min(0);
export const fraction = z.number().min(0).max(1);
export const better = z.enum(['higher', 'lower']);
export const interval95 = z.tuple([z.number(), z.number()]);
