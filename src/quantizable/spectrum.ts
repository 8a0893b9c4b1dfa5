/**
 * Short-time Fourier transforms written as operators: a convolution (or product) with sines and cosines, then the magnitude
 * of the complex result, √(re² + im²). A spectrum spans more orders of magnitude than 8 bits with one scale resolve, and
 * squaring doubles the relative error before it: speech models lose most of their accuracy in these few nodes.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';

/** Why this node, which multiplies weights, is better left float; or undefined. */
export function spectralReason(node: Node): string | undefined {
  const output = node.output();
  if (output && onlySquared(output)) return 'its result is only squared, which doubles the error that 8 bits make';
  const input = node.input(0);
  if (input && isSpectrum(input)) {
    return `its input '${input.name}' is a spectrum (sum of two squares), whose magnitudes 8 bits do not resolve`;
  }
  return undefined;
}

/** Operators that pick or place the values of their first input. */
const movers = [
  'Slice',
  'Split',
  'Gather',
  'Reshape',
  'Flatten',
  'Transpose',
  'Squeeze',
  'Unsqueeze',
  'Identity',
  'Cast',
];

function onlySquared(value: Value): boolean {
  if (value.isOutput || value.users.size === 0) return false;
  return [...value.users.keys()].every(
    (user) =>
      isSquare(user) ||
      (user.is(...movers) && user.input(0) === value && user.outputs.every((output) => !output || onlySquared(output))),
  );
}

function isSquare(node: Node | undefined): boolean {
  if (node?.is('Mul')) return node.input(0) === node.input(1);
  if (!node?.is('Pow')) return false;
  const exponent = node.constant(1);
  return exponent?.size === 1 && exponent.floats()[0] === 2;
}

/** re² + im² or its root, moved, or kept away from zero by a constant. */
function isSpectrum({ producer }: Value): boolean {
  if (!producer) return false;
  const inputs = producer.inputs.filter((value) => value !== null);
  if (producer.is('Add') && inputs.every((value) => isSquare(value.producer))) return true;
  const passesOn =
    producer.is('Sqrt', 'Relu', 'Clip', ...movers) ||
    (producer.is('Add', 'Max') && inputs.slice(1).every((value) => value.isConstant));
  return passesOn && inputs[0] !== undefined && isSpectrum(inputs[0]);
}
