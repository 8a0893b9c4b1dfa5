/**
 * Nodes that have an int8 form and are kept as they are all the same: they are quantized already, read no float32, read a
 * constant that is stored sparse, hold infinity, for which there is no code, compute what no sample changes, or stand where the
 * samples give no range.
 */
import { elementTypes } from '../graph/element-types.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { topologicalDeep } from '../graph/walk.ts';
import { isRandom } from '../ops/index.ts';
import { infiniteValues } from '../ops/infinite.ts';
import type { Masks } from './attention.ts';
import type { Candidate } from './candidates.ts';

/** Says which nodes are kept. */
export interface Keeper {
  /** Why the node is kept whatever its operator says, or undefined. */
  node(node: Node): string | undefined;
  /** Why the region is kept although its operator has an int8 form, or undefined. */
  region(candidate: Candidate): string | undefined;
}

/**
 * Makes the keeper of a model.
 * @param unranged names of tensors for which the samples gave no range
 * @param masks tensors whose range leaves out what is masked: infinity is among that
 */
export function keeperOf(model: Model, unranged: ReadonlySet<string>, masks: Masks): Keeper {
  const types = elementTypes(model);
  const infinite = infiniteValues(model);
  const fixed = fixedValues(model);
  return {
    node(node) {
      const owner = unobservable(node.graph!);
      if (owner) return `it stands in the body of ${owner.opType} '${owner.label}', where ranges are not observed`;
      const dequantized = node.inputs.find((value) => value?.producer?.is('DequantizeLinear'));
      if (dequantized) return `already quantized: its input '${dequantized.name}' comes from a DequantizeLinear`;
      const sparse = node.inputs.find((value) => value && isSparse(value));
      return sparse ? `its constant '${sparse.name}' is stored sparse, which is kept` : undefined;
    },
    region({ node, rule, outputs }) {
      const inputs = rule.operands.map(({ index }) => node.input(index)!);
      const other = inputs.find((value) => (types.get(value) ?? 'float32') !== 'float32');
      if (other) return `its input '${other.name}' is ${types.get(other)}, not float32`;
      const endless = rule.operands
        .map(({ index, role }) => ({ index, role, value: node.input(index)! }))
        .find(({ index, role, value }) => infinite.has(value) && (role === 'bias' || !masks.covers(node, index)));
      const held = endless?.value ?? outputs.find((value) => infinite.has(value) && !masks.has(value));
      if (held) return infinityReason(held, infinite.get(held)!.constant);
      if (rule.kind === 'anchor' && outputs.every((value) => fixed.has(value)))
        return `its result is the same for every sample: '${inputs[0]!.name}' holds no more than constants and shapes`;
      const quantized = outputs.find(onlyQuantized);
      if (quantized) return `already quantized: its output '${quantized.name}' goes to a QuantizeLinear`;
      const empty = [...inputs, ...outputs].find(({ name }) => unranged.has(name));
      return empty && `tensor '${empty.name}' was zero, empty or never computed with every sample: it has no range`;
    },
  };
}

/** Whether it stands beside quantizers that the model brought along. */
export function isQuantizedAlready(node: Node): boolean {
  return (
    node.inputs.some((value) => value?.producer?.is('DequantizeLinear')) ||
    node.outputs.some((value) => value !== null && onlyQuantized(value))
  );
}

/** The nearest owner around a graph that cannot hand results of its body out: not one of the control-flow operators. */
export function unobservable(graph: Graph): Node | undefined {
  for (let { owner } = graph; owner; owner = owner.graph?.owner) {
    if (!owner.is('If', 'Loop', 'Scan')) return owner;
  }
  return undefined;
}

function infinityReason({ name }: Value, constant: string): string {
  const origin =
    constant === name
      ? `its constant '${name}' holds infinity`
      : `'${name}' holds infinity from constant '${constant}'`;
  return `${origin}, for which there is no code`;
}

function onlyQuantized({ users, isOutput }: Value): boolean {
  return !isOutput && users.size > 0 && [...users.keys()].every((user) => user.is('QuantizeLinear'));
}

/** Whether the constant is stored sparse: the graph knows no more than its name then. */
function isSparse({ producer, isInput, initializer }: Value): boolean {
  return !producer && !isInput && !initializer;
}

/**
 * Finds values that are the same whatever the samples hold: made of constants, and of the shape of something, alone. Random numbers
 * vary, and what has a body is taken to.
 */
export function fixedValues(model: Model): ReadonlySet<Value> {
  const fixed = new Set<Value>();
  const holds = (value: Value | null): boolean => value === null || value.isConstant || fixed.has(value);
  const isFixed = (node: Node): boolean => {
    if (node.is('Shape', 'Size')) return true;
    if (isRandom(node)) return false;
    const { inputs } = node;
    return inputs.some((value) => value !== null) && inputs.every(holds) && node.subgraphs().length === 0;
  };
  for (const node of topologicalDeep(model.graph)) {
    if (!isFixed(node)) continue;
    for (const output of node.outputs) if (output) fixed.add(output);
  }
  return fixed;
}
