/**
 * Recurrent layers: weights of the input and of the state, and their biases. For gradients they are unrolled (`qat/unroll`), for integer
 * kernels opened to products and a Scan (`quantizable/recurrent.ts`), where what they ask for can be written so.
 */
import type { Node } from '../graph/node.ts';
import type { OpSpec } from './op.ts';

export const recurrent: OpSpec = {
  types: ['LSTM', 'GRU', 'RNN'],
  learnable: () => [1, 2, 3],
};

/** Gates, usual activations and positions of the initial states, by operator. */
export const recurrentCells: ReadonlyMap<
  string,
  { readonly gates: number; readonly activations: readonly string[]; readonly states: readonly number[] }
> = new Map([
  ['LSTM', { gates: 4, activations: ['Sigmoid', 'Tanh', 'Tanh'], states: [5, 6] }],
  ['GRU', { gates: 3, activations: ['Sigmoid', 'Tanh'], states: [5] }],
  ['RNN', { gates: 1, activations: ['Tanh'], states: [5] }],
]);

/** Activations that are operators without parameters. */
const operators = new Map(
  ['Sigmoid', 'Tanh', 'Relu', 'Softsign', 'Softplus'].map((name) => [name.toLowerCase(), name]),
);

/** Names of the activations of one direction; undefined for one that is no such operator. */
export function recurrentActivations(node: Node, direction: number): (string | undefined)[] {
  const { activations: usual } = recurrentCells.get(node.opType)!;
  const names = activationNames(node);
  const own = names.length === 0 ? usual : names.slice(direction * usual.length, (direction + 1) * usual.length);
  return usual.map((_, i) => operators.get(own[i]?.toLowerCase() ?? ''));
}

/** Why the node cannot be opened, or undefined. Its weights (inputs 1 and 2) are constant. */
export function cannotOpen(node: Node): string | undefined {
  if (node.int('layout', 0) !== 0) return 'its tensors are batch first (layout = 1)';
  if (node.input(3) && !node.constant(3)) return 'its bias is computed at run time';
  if (node.input(7)) return 'it has peepholes';
  if (node.int('input_forget', 0) !== 0) return 'its input and forget gates are coupled (input_forget)';
  const directions = node.string('direction', 'forward') === 'bidirectional' ? [0, 1] : [0];
  const known = directions.every((direction) => recurrentActivations(node, direction).every((name) => name));
  return known ? undefined : `its activations are ${activationNames(node).join(', ')}`;
}

/** As the node gives them, of all directions; none where they are the usual ones. */
function activationNames(node: Node): string[] {
  const given = node.attributes.get('activations');
  return given?.kind === 'strings' ? given.value.map((bytes) => new TextDecoder().decode(bytes)) : [];
}

/** Why the operator stays float in static form, and what does not leave it so. */
export function whyRecurrentStaysFloat(node: Node): string {
  const none = `${node.opType} has no int8 kernel in static form`;
  const hindrance = node.constant(1) && node.constant(2) ? cannotOpen(node) : 'its weights are computed at run time';
  if (hindrance === undefined)
    return `${none}: --format dynamic multiplies its weights in int8, --recurrent scan opens it`;
  if (node.is('LSTM') && node.constant(1)) return `${none}: --format dynamic multiplies its weights in int8`;
  return `${none}, and cannot be opened to products that have one: ${hindrance}`;
}
