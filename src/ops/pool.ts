/** Pooling and averaging. */
import { follow, type OpSpec } from './op.ts';

/** The maximum of codes is the code of the maximum. */
export const maxPool: OpSpec = {
  types: ['MaxPool'],
  quantize: (node) => (node.output(1) ? 'its Indices output is used' : follow({ kind: 'share', input: 0 }, [0])),
};

/** An average has a narrower range than its input: a scale of its own keeps more of it. */
export const average: OpSpec = {
  types: ['AveragePool', 'GlobalAveragePool', 'ReduceMean'],
  quantize: () => follow({ kind: 'observe' }, [0]),
};
