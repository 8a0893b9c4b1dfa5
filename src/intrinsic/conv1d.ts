/**
 * A 1-D convolution that an exporter wrote in two dimensions: Unsqueeze → (Transpose →) Conv → (Transpose →) Squeeze, with a
 * kernel of length 1 along the axis that comes and goes. It becomes a Conv of one dimension; Transposes on the way lose
 * that axis. Each output is the same sum as before, added in another order at most.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { absorb, setConstant } from './edit.ts';
import type { Facts } from '../graph/facts.ts';
import { exposed, patternPass, type Rewrite } from './pattern.ts';

export const convOneD = patternPass(
  'conv-one-d',
  'Conv between Unsqueeze and Squeeze, with a kernel of length 1 on that axis, becomes one-dimensional',
  (node, { facts }) => (node.is('Conv') ? match(node, facts) : undefined),
);

/** What may stand between Conv and Squeeze: Transposes, and activations, which do not care how many axes there are. */
function standsBetween(node: Node): boolean {
  return node.is('Transpose', 'Relu', 'LeakyRelu', 'Clip', 'Sigmoid', 'HardSigmoid', 'HardSwish', 'Tanh', 'Elu');
}

function match(conv: Node, facts: Facts): Rewrite | string | undefined {
  const producer = conv.input(0)?.producer;
  const turn = producer?.is('Transpose') ? producer : undefined;
  const unsqueeze = turn ? turn.input(0)?.producer : producer;
  if (!unsqueeze?.is('Unsqueeze')) return undefined;
  const weight = conv.constant(1);
  const added = axisOf(unsqueeze);
  const axis = added === undefined ? undefined : turn ? moved(turn, added) : added;
  // Batch and channel axes are added for other reasons, and so are axes of other than two-dimensional layers.
  if (added === undefined || axis === undefined || axis < 2 || (weight && weight.dims.length !== 4)) return undefined;

  const behind: Node[] = [];
  let next = conv.output()?.soleUser;
  for (; next && standsBetween(next); next = next.output()?.soleUser) behind.push(next);
  const squeeze = next;
  if (!squeeze?.is('Squeeze')) return `no Squeeze takes away the axis that '${unsqueeze.label}' adds`;
  const nodes = new Set([unsqueeze, ...(turn ? [turn] : []), conv, ...behind, squeeze]);
  const reason = exposed(nodes, squeeze);
  if (reason !== undefined) return reason;
  const x = unsqueeze.input(0)!;
  const { rank } = facts.of(x);
  if (rank !== 3) return `the rank of '${x.name}' is ${rank ?? 'not known'}, not 3`;
  // Where the axis stands in front of each node.
  const places = [axis];
  for (const node of behind) places.push(moved(node, places.at(-1)!));
  if (axisOf(squeeze) !== places.at(-1)) {
    return `'${squeeze.label}' does not take away the axis that '${unsqueeze.label}' adds`;
  }

  if (!weight) return 'its weight is computed at run time';
  if (weight.dims[axis] !== 1) return `its kernel has length ${weight.dims[axis]}, not 1, along the axis that is added`;
  const flat = axis - 2;
  const pads = conv.ints('pads');
  if (pads && (pads[flat] !== 0 || pads[flat + 2] !== 0)) return 'it pads the axis that is added';
  const apply = (): void => {
    if (turn) shorten(turn, added);
    (turn ?? conv).setInput(0, x);
    const dims = weight.dims.filter((_, index) => index !== axis);
    setConstant(conv, 1, { type: weight.type.name, dims, data: weight.data() }, conv.input(1)!.name);
    for (const name of ['kernel_shape', 'strides', 'dilations', 'pads']) {
      const perAxis = conv.ints(name);
      if (perAxis)
        conv.setInts(
          name,
          perAxis.filter((_, index) => index % 2 !== flat),
        );
    }
    dropAxis(conv.output(), axis);
    behind.forEach((node, index) => {
      if (node.is('Transpose')) shorten(node, places[index]!);
      else dropAxis(node.output(), places[index]!);
    });
    absorb(behind.at(-1) ?? conv, squeeze);
  };
  return { nodes, root: conv, apply };
}

/** The one constant axis of a four-dimensional value that an Unsqueeze adds or a Squeeze takes away. */
function axisOf(node: Node): number | undefined {
  const axes = node.ints('axes') ?? node.constant(1)?.ints();
  return axes?.length === 1 ? (axes[0]! + 4) % 4 : undefined;
}

/** The reverse order of the axes is the default. */
function permOf(transpose: Node): number[] {
  return transpose.ints('perm') ?? [3, 2, 1, 0];
}

/** Where an axis in front of the node stands behind it. */
function moved(node: Node, axis: number): number {
  return node.is('Transpose') ? permOf(node).indexOf(axis) : axis;
}

/** The Transpose goes without this axis of its input. */
function shorten(transpose: Node, axis: number): void {
  dropAxis(transpose.output(), moved(transpose, axis));
  const kept = permOf(transpose).filter((each) => each !== axis);
  transpose.setInts(
    'perm',
    kept.map((each) => (each > axis ? each - 1 : each)),
  );
}

/** The declared shape goes without this axis. */
function dropAxis(value: Value | undefined, axis: number): void {
  const elemType = value?.info?.type?.tensorType?.elemType;
  if (!value || elemType === undefined) return;
  value.setType(
    elemType,
    value.dims?.filter((_, index) => index !== axis),
  );
}
