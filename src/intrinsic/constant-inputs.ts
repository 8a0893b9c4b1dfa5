/**
 * Files of IR 3, and many later ones, list every weight among the graph inputs as well, which makes it a default that a
 * caller may override. Nobody overrides a weight: the entry among the inputs is dropped and the weight becomes a
 * constant.
 */
import type { Pass } from './pass.ts';

export const constantInputs: Pass = {
  name: 'constant-inputs',
  summary: 'weights that are also listed as model inputs become constants',
  run({ graph }, context) {
    const defaults = graph.inputs.filter((value) => value.initializer !== undefined);
    if (defaults.length === 0) return false;
    const feeds = graph.inputs.filter((value) => value.initializer === undefined);
    graph.inputs.length = 0;
    for (const value of feeds) graph.inputs.push(value);
    for (const value of defaults) {
      value.isInput = false;
      if (!value.isOutput) value.info = undefined;
    }
    context.applied(defaults.map((value) => value.name));
    return true;
  },
};
