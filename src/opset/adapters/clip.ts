/**
 * Clip: the limits became inputs of the element type of the data. A limit left out was the largest float32 and is the
 * largest number of the type now, which differs for float64; where a limit is the default of the type it stays out.
 */
import type { Node } from '../../graph/node.ts';
import type { AdaptContext, Adapter } from '../adapter.ts';
import { floatScalar } from '../constants.ts';

const largest = Math.fround(3.4028234663852886e38);

export const clip11: Adapter = {
  ops: ['Clip'],
  version: 11,
  adapt(node, context) {
    limit(node, 'min', -largest, 1, context);
    limit(node, 'max', largest, 2, context);
    return true;
  },
};

function limit(node: Node, attribute: 'min' | 'max', usual: number, index: number, context: AdaptContext): void {
  const value = node.float(attribute, usual);
  node.attributes.delete(attribute);
  const { type } = context;
  if (value === usual && type !== 'float64') return;
  const bound = type && floatScalar(node, attribute, type, value);
  if (!bound) throw context.cannot(`the element type of its data is ${type ?? 'not known'}`);
  node.setInput(index, bound);
}
