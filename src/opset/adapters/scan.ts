/** Scan lost its batch axis and its sequence lengths; the old form cannot be said with the new one. */
import type { Adapter } from '../adapter.ts';

export const scan9: Adapter = {
  ops: ['Scan'],
  version: 9,
  adapt(_, context) {
    throw context.cannot('it runs over a batch of sequences, which no later Scan does');
  },
};
