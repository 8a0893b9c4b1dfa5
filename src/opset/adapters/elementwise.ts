/** Clip and Dropout: their limits and their ratio became inputs. */
import type { Node } from '../../graph/node.ts';
import { type AdaptContext, type Adapter, floatScalar } from '../adapter.ts';

/**
 * Clip: the limits became inputs of the element type of the data. A limit left out was the largest float32 and is the
 * largest number of the type now, which differs for float64; where a limit is the default of the type it stays out.
 */
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

/**
 * Dropout: the mask became bool. Outside training it copies its input, so only its form matters, unless somebody reads the mask.
 */
export const dropout10: Adapter = { ops: ['Dropout'], version: 10, adapt: dropMask };

/** Dropout: the ratio became an input; outside training the mask is all ones from here on, and was not defined before. */
export const dropout12: Adapter = {
  ops: ['Dropout'],
  version: 12,
  adapt(node, context) {
    const masked = dropMask(node, context);
    const ratio = node.float('ratio');
    node.attributes.delete('ratio');
    if (ratio === undefined) return masked;
    node.setInput(1, floatScalar(node, 'ratio', 'float32', ratio)!);
    return true;
  },
};

function dropMask(node: Node, context: AdaptContext): boolean {
  const mask = node.output(1);
  if (!mask) return false;
  if (mask.useCount > 0) throw context.cannot(`its mask '${mask.name}' is read, and the mask changed its meaning`);
  node.setOutput(1, null);
  mask.graph.removeValue(mask);
  return true;
}
