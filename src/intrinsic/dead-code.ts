/** Nodes whose results nobody reads, and constants that lost their readers, leave the model. */
import { removeDead } from '../graph/walk.ts';
import type { Pass } from './pass.ts';

export const deadCode: Pass = {
  name: 'dead-code',
  summary: 'nodes and constants that nothing reads are removed',
  run(model, context) {
    const removed = removeDead(model.graph);
    if (removed.length > 0) context.applied(removed);
    return removed.length > 0;
  },
};
