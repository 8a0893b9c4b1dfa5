/** Redundant nodes: common subexpressions are computed once, dead code goes. */
import { removeDead } from '../graph/walk.ts';
import type { Pass } from './pass.ts';
import type { Attribute } from '../graph/attribute.ts';
import type { Node } from '../graph/node.ts';
import { bypass } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import { longestVector } from '../graph/shapes/size.ts';
import { isRandom } from '../ops/index.ts';

/**
 * The same operator of the same inputs, computed twice: once is enough. Exporters write a Slice, a Shape or an anchor's width
 * wherever it is read. Behind the fusions, so that no operator loses a reader of its own that it can be fused with.
 */
export const common: Pass = {
  name: 'common',
  summary: 'what is computed twice from the same values is computed once',
  run(model, context) {
    const numbers = new Map<object, number>();
    const first = new Map<string, Node>();
    let changed = false;
    for (const node of model.allNodes()) {
      if (!isPure(node)) continue;
      const key = keyOf(node, numbers);
      const twin = first.get(key);
      if (!twin) {
        first.set(key, node);
        continue;
      }
      const [output, value] = [node.output()!, twin.output()!];
      // An output of the graph needs its own name.
      if (output.isOutput || !bypass(node, value)) continue;
      context.applied([node.label], twin.label);
      changed = true;
    }
    return changed;
  },
};

/** Not twice the same: random numbers. Quantizers stay by themselves: fine-tuning may give each a scale of its own. */
const others = /^(Dropout|.*QuantizeLinear|DequantizeLinear)$/;

function isPure(node: Node): boolean {
  const { outputs } = node;
  if (node.domain !== '' || isRandom(node) || others.test(node.opType) || node.inputs.length === 0) return false;
  return outputs.length === 1 && outputs[0] != null && node.subgraphs().length === 0;
}

function keyOf(node: Node, numbers: Map<object, number>): string {
  const number = (of: object): number => {
    if (!numbers.has(of)) numbers.set(of, numbers.size);
    return numbers.get(of)!;
  };
  const inputs = node.inputs.map((value) => (value === null ? '' : (contentOf(value) ?? number(value))));
  const attributes = [...node.attributes].map(([name, value]) => `${name}=${textOf(value, number)}`).sort();
  return [number(node.graph!), node.opType, inputs.join(), ...attributes].join(' ');
}

/** Of a short constant: exporters store the same bounds again and again. -0 and 0, written alike, differ: floats go by identity. */
function contentOf(value: Value): string | undefined {
  const tensor = value.constant;
  if (!tensor || tensor.size > longestVector || !/^(u?int\d+|bool)$/.test(tensor.type.name)) return undefined;
  return `${tensor.type.name}[${tensor.dims.join()}]${tensor.data().join()}`;
}

function textOf(attribute: Attribute, number: (of: object) => number): string {
  switch (attribute.kind) {
    case 'int':
    case 'float':
      return String(attribute.value);
    case 'ints':
    case 'floats':
      return attribute.value.join();
    case 'string':
      return attribute.value.join();
    default:
      return `#${number(attribute)}`;
  }
}

/** Nodes whose results nobody reads, and constants that lost their readers, leave the model. */
export const deadCode: Pass = {
  name: 'dead-code',
  summary: 'nodes and constants that nothing reads are removed',
  run(model, context) {
    const removed = removeDead(model.graph);
    if (removed.length > 0) context.applied(removed);
    return removed.length > 0;
  },
};
