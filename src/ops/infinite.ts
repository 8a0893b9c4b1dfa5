/**
 * Tensors that hold infinity on purpose: a constant of the model does, and the operators between hand it on. No code stands for
 * infinity, so that they stay float, unless a Softmax is all they lead to (quantizable/attention.ts).
 */
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { topologicalDeep } from '../graph/walk.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { specOf } from './index.ts';

/** Which infinities a tensor may hold, and the constant from which they come. */
export interface Infinite {
  readonly below: boolean;
  readonly above: boolean;
  readonly constant: string;
}

/** Constants above this many elements are weights and tables, no masks: they are not read for this. */
const most = 2 ** 22;

/** They hand on what any of these inputs holds; no list: every input. */
const carriers: ReadonlyMap<string, readonly number[] | undefined> = new Map<string, readonly number[] | undefined>([
  ...[
    ...['Identity', 'Cast', 'CastLike', 'Dropout', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze'],
    ...['Expand', 'Tile', 'Slice', 'Split', 'Gather', 'GatherElements', 'GatherND', 'Trilu', 'LogSoftmax'],
  ].map((op) => [op, [0]] as const),
  ...['Add', 'Sum', 'Concat'].map((op) => [op, undefined] as const),
  ['Pad', [0, 2]],
  ['Where', [1, 2]],
  ['ScatterND', [0, 2]],
  ['ScatterElements', [0, 2]],
]);

/** By value, constants included. */
export function infiniteValues(model: Model): ReadonlyMap<Value, Infinite> {
  const found = new Map<Value, Infinite>();
  const looked = new Set<Value>();
  const of = (value: Value | undefined): Infinite | undefined => {
    if (value?.constant && !looked.has(value)) {
      looked.add(value);
      const own = infinityIn(value.constant, value.name);
      if (own) found.set(value, own);
    }
    return value && found.get(value);
  };
  for (const node of topologicalDeep(model.graph)) {
    const made = handedOn(node, of);
    if (made) for (const output of node.outputs) if (output) found.set(output, made);
  }
  return found;
}

function infinityIn(constant: Tensor, name: string): Infinite | undefined {
  if (!/^b?float/.test(constant.type.name) || constant.size > most) return undefined;
  let [below, above] = [false, false];
  for (const value of constant.floats()) {
    below ||= value === -Infinity;
    above ||= value === Infinity;
  }
  return below || above ? { below, above, constant: name } : undefined;
}

function handedOn(node: Node, of: (value: Value | undefined) => Infinite | undefined): Infinite | undefined {
  if (node.domain !== '') return undefined;
  const { opType } = node;
  if (opType === 'ConstantOfShape') {
    const fill = node.tensor('value');
    return fill && infinityIn(fill, node.label);
  }
  const limits = specOf(node)?.clamp?.(node);
  if (limits) return within(of(node.input(0)), limits.min === -Infinity, limits.max === Infinity);
  if (carriers.has(opType))
    return union((carriers.get(opType) ?? [...node.inputs.keys()]).map((index) => of(node.input(index))));
  const operands = node.inputs.map((value) => of(value ?? undefined));
  const all = union(operands);
  if (!all) return undefined;
  switch (opType) {
    case 'Sub':
      return union([operands[0], swapped(operands[1])]);
    case 'Neg':
      return swapped(all);
    case 'Abs':
      return { ...all, below: false, above: true };
    case 'Mul':
      return { ...all, below: true, above: true };
    case 'Div':
      return operands[0] && { ...all, below: true, above: true };
    // What is lower than all others is chosen only where all are.
    case 'Max':
      return within(
        all,
        operands.every((each) => each?.below),
        true,
      );
    case 'Min':
      return within(
        all,
        true,
        operands.every((each) => each?.above),
      );
    default:
      return undefined;
  }
}

function within(infinite: Infinite | undefined, below: boolean, above: boolean): Infinite | undefined {
  if (!infinite) return undefined;
  const left = { ...infinite, below: infinite.below && below, above: infinite.above && above };
  return left.below || left.above ? left : undefined;
}

function union(all: readonly (Infinite | undefined)[]): Infinite | undefined {
  const some = all.filter((each) => each !== undefined);
  const below = some.some((each) => each.below);
  return some[0] && { below, above: some.some((each) => each.above), constant: some[0].constant };
}

function swapped(infinite: Infinite | undefined): Infinite | undefined {
  return infinite && { ...infinite, below: infinite.above, above: infinite.below };
}
