/**
 * Einsum of two operands that is a product of matrices becomes MatMul, which has integer kernels, with a Transpose where the
 * order of the axes asks for one. Every label is one of batch (in both operands and the result), reduced (in both operands
 * only), left or right (in one operand and the result). One reduced label; one left and one right label, or several left
 * ones where there is no batch.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import { rulePass } from './pass.ts';

interface Product {
  /** Axis orders; undefined where the axes are in order already. */
  readonly left: readonly number[] | undefined;
  readonly right: readonly number[] | undefined;
  readonly result: readonly number[] | undefined;
}

export const einsum = rulePass('einsum', 'Einsum that is a product of two matrices becomes MatMul', (node) => {
  if (!node.is('Einsum') || node.inputs.length !== 2) return undefined;
  const product = productOf(node.string('equation', ''));
  return { nodes: [node], apply: () => (typeof product === 'string' ? product : rewrite(node, product)) };
});

/** The orders of axes under which the equation is a MatMul, or why it is none. */
function productOf(equation: string): Product | string {
  const text = equation.replaceAll(' ', '');
  const match = /^([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]*)$/.exec(text);
  if (!match) return `its equation '${text}' has an ellipsis, or no result that is spelled out`;
  const [a, b, out] = match.slice(1) as [string, string, string];
  if ([a, b, out].some((labels) => new Set(labels).size < labels.length)) return `a label repeats in '${text}'`;
  const batch = [...a].filter((label) => b.includes(label) && out.includes(label));
  const reduced = [...a].filter((label) => b.includes(label) && !out.includes(label));
  const left = [...a].filter((label) => !b.includes(label));
  const right = [...b].filter((label) => !a.includes(label));
  if ([...left, ...right].some((label) => !out.includes(label))) return `'${text}' sums over an axis of one operand`;
  if ([...out].some((label) => !a.includes(label) && !b.includes(label)))
    return `'${text}' has a label without an axis`;
  const plain = left.length === 1 || (left.length > 1 && batch.length === 0);
  if (reduced.length !== 1 || right.length !== 1 || !plain) return `'${text}' is no product of two matrices`;
  const order = (from: string, wanted: readonly string[]): number[] | undefined => {
    const axes = wanted.map((label) => from.indexOf(label));
    return axes.every((axis, index) => axis === index) ? undefined : axes;
  };
  const made = [...batch, ...left, ...right].join('');
  return {
    left: order(a, [...batch, ...left, ...reduced]),
    right: order(b, [...batch, ...reduced, ...right]),
    result: order(made, [...out]),
  };
}

/** @returns undefined: nothing stands in its way */
function rewrite(node: Node, { left, right, result }: Product): undefined {
  const graph = node.graph!;
  const turned = (value: Value, perm: readonly number[] | undefined): Value => {
    if (!perm) return value;
    const transpose = graph.makeNode('Transpose', [value], { outputs: [`${value.name}_transposed`] });
    transpose.name = transpose.output()!.name;
    transpose.setInts('perm', perm);
    graph.insertBefore(transpose, node);
    return transpose.output()!;
  };
  node.setInput(0, turned(node.input(0)!, left));
  node.setInput(1, turned(node.input(1)!, right));
  node.opType = 'MatMul';
  node.attributes.clear();
  if (!result) return;
  const output = node.output()!;
  const transpose = graph.makeNode('Transpose', [], { name: `${node.label}_order`, outputs: [] });
  transpose.setInts('perm', result);
  graph.insertAfter(transpose, node);
  const product = graph.addValue(`${output.name}_product`);
  node.setOutput(0, product);
  transpose.setInput(0, product);
  transpose.setOutput(0, output);
}
