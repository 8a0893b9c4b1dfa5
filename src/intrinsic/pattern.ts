/**
 * How fusions recognize an operator in its primitive form. Arithmetic with scalar constants is compared as a polynomial, so
 * that it is found whatever the order of its operands and the place of its constants; see polynomialOf.
 */
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';
import type { Facts } from '../graph/facts.ts';
import { nodePass, type Pass, type Surroundings } from './pass.ts';

/** A rewrite that is possible. */
export interface Rewrite {
  /** All nodes that take part; those that nothing reads any more afterwards leave the graph. */
  readonly nodes: ReadonlySet<Node>;
  /** The one that carries the result. */
  readonly root: Node;
  /** Rewires what stays; see `become`. */
  apply(): void;
}

/** A rewrite that only the operator set of the model forbids. */
export interface NeedsOpset {
  readonly opType: string;
  readonly opset: number;
}

/**
 * A pass that looks for a pattern at every node. `match` returns undefined where the pattern does not begin, and the reason where it
 * almost matches. Nodes that only the pattern read leave the graph.
 */
export function patternPass(
  name: string,
  summary: string,
  match: (node: Node, around: Surroundings) => Rewrite | NeedsOpset | string | undefined,
): Pass {
  return nodePass(name, summary, (node, around, { applied, refused }) => {
    const found = match(node, around);
    if (found === undefined) return false;
    if (typeof found === 'string') {
      refused(node.label, found);
      return false;
    }
    if ('opset' in found) {
      const { opType, opset } = found;
      refused(node.label, `${opType} needs opset ${opset}, the model is opset ${around.opset}`, opset);
      return false;
    }
    const order = inOrder(found);
    const labels = order.map((each) => each.label);
    found.apply();
    for (const each of order.reverse()) {
      if (each !== found.root && each.outputs.every((value) => !value?.useCount)) each.graph?.remove(each);
    }
    applied(labels, found.root.label);
    return true;
  });
}

/** The nodes of a rewrite, each behind those that it reads. */
function inOrder({ nodes }: Rewrite): Node[] {
  const order = new Set<Node>();
  const visit = (node: Node): void => {
    for (const input of node.inputs) {
      const producer = input?.producer;
      if (producer && nodes.has(producer) && !order.has(producer)) visit(producer);
    }
    order.add(node);
  };
  for (const node of nodes) if (!order.has(node)) visit(node);
  return [...order];
}

/** The node computes something else from now on; its output, with name and declared type, stays. */
export function become(node: Node, opType: string, inputs: readonly Value[]): void {
  node.opType = opType;
  node.attributes.clear();
  node.truncateInputs(0);
  inputs.forEach((value, index) => node.setInput(index, value));
}

/** Why the results between these nodes cannot vanish; undefined when nobody but the root's readers would notice. */
export function exposed(nodes: ReadonlySet<Node>, root: Node): string | undefined {
  for (const node of nodes) {
    if (node.graph !== root.graph) return `'${node.label}' stands in another graph`;
    if (node === root) continue;
    for (const value of node.outputs) {
      if (!value) continue;
      if (value.isOutput) return `'${value.name}', the result of '${node.label}', is a graph output`;
      const stranger = [...value.users.keys()].find((user) => !nodes.has(user));
      if (stranger) return `'${value.name}', the result of '${node.label}', is read by '${stranger.label}' too`;
    }
  }
  return undefined;
}

/** Equal within a few roundings to float32: the same constant, computed another way. */
export function near(actual: number, expected: number): boolean {
  return Math.abs(actual - expected) <= 2 ** -21 * Math.abs(expected);
}

/** The number that a constant of one element holds. */
export function scalarOf(value: Value | undefined): number | undefined {
  const tensor = value?.constant;
  if (tensor?.size !== 1 || tensor.type.name === 'string') return undefined;
  return Number(tensor.type.name.startsWith('int') ? tensor.ints()[0] : tensor.floats()[0]);
}

/** The node's other operand, when `value` is one of its two. */
export function otherOperand(node: Node, value: Value | undefined): Value | undefined {
  const [a, b] = [node.input(0), node.input(1)];
  return a === value ? b : b === value ? a : undefined;
}

/** Coefficients by product of symbols, letters in order: x + 3 is { '': 3, x: 1 }, and ½x(1 + t) is { x: 0.5, tx: 0.5 }. */
export type Terms = Readonly<Record<string, number>>;

export interface Polynomial {
  readonly terms: ReadonlyMap<string, number>;
  /** The nodes that compute it. */
  readonly nodes: ReadonlySet<Node>;
  /** Largest rank of a constant in it: a constant of shape [1, 1] would lend two axes to a scalar. */
  readonly rank: number;
}

/** Deep enough for √(2/π)·(x + 0.044715·x·x·x) with its constants in any place. */
const deepest = 6;

/**
 * The value as a polynomial in the symbols, or undefined. Like terms are never added up and sums never multiplied with each
 * other, so nothing cancels: however it is computed in float32, with k nodes, the error is at most about k roundings of
 * the sum of its terms' magnitudes.
 */
export function polynomialOf(value: Value, symbols: Readonly<Record<string, Value>>): Polynomial | undefined {
  const letters = new Map(Object.entries(symbols).map(([letter, symbol]) => [symbol, letter]));
  const nodes = new Set<Node>();
  let rank = 0;
  const expand = (each: Value | undefined, depth: number): Map<string, number> | undefined => {
    const letter = each && letters.get(each);
    if (letter !== undefined) return new Map([[letter, 1]]);
    const scalar = scalarOf(each);
    if (scalar !== undefined) {
      rank = Math.max(rank, each!.dims!.length);
      return new Map(scalar === 0 ? [] : [['', scalar]]);
    }
    const node = each?.producer;
    if (!node?.is(...arithmetic) || depth === 0) return undefined;
    nodes.add(node);
    const a = expand(node.input(0), depth - 1);
    if (!a || node.is('Neg')) return a && scaled(a, -1);
    const b = expand(node.input(1), depth - 1);
    return b && combine(node, a, b);
  };
  const terms = expand(value, deepest);
  return terms && { terms, nodes, rank };
}

const arithmetic = ['Add', 'Sub', 'Mul', 'Div', 'Neg', 'Pow'];

function combine(
  node: Node,
  a: ReadonlyMap<string, number>,
  b: ReadonlyMap<string, number>,
): Map<string, number> | undefined {
  const constant = b.size === 1 ? b.get('') : undefined;
  if (node.is('Div')) return constant === undefined ? undefined : scaled(a, 1 / constant);
  if (node.is('Pow')) {
    if (a.size !== 1 || (constant !== 2 && constant !== 3)) return undefined;
    const square = product(a, a);
    return constant === 2 ? square : product(square, a);
  }
  if (node.is('Mul')) return a.size === 1 ? product(b, a) : b.size === 1 ? product(a, b) : undefined;
  if ([...a.keys()].some((key) => b.has(key))) return undefined;
  return new Map([...a, ...(node.is('Sub') ? scaled(b, -1) : b)]);
}

function scaled(terms: ReadonlyMap<string, number>, factor: number): Map<string, number> {
  return product(terms, new Map([['', factor]]));
}

/** Times a single term. */
function product(terms: ReadonlyMap<string, number>, single: ReadonlyMap<string, number>): Map<string, number> {
  const [letters, factor] = [...single][0]!;
  return new Map([...terms].map(([key, value]) => [[...key, ...letters].sort().join(''), value * factor]));
}

export function isPolynomial({ terms }: Polynomial, expected: Terms): boolean {
  const wanted = Object.entries(expected);
  return wanted.length === terms.size && wanted.every(([key, value]) => near(terms.get(key) ?? NaN, value));
}

/** The values that arithmetic makes `value` from, itself included, nearest first: what may be x in a polynomial. */
export function operandsOf(value: Value): Value[] {
  const found = new Set([value]);
  let ring: Value[] = [value];
  for (let depth = 0; depth < deepest && ring.length > 0; depth++) {
    const next = ring.flatMap(({ producer }) => (producer?.is(...arithmetic) ? producer.inputs : []));
    ring = next.filter((each): each is Value => each !== null && !each.isConstant && !found.has(each));
    for (const each of ring) found.add(each);
  }
  return [...found];
}

export interface Formula extends Polynomial {
  readonly root: Node;
}

/** The nearest node behind `t` whose result is this polynomial in x and t. */
export function formulaAbove(t: Value, x: Value, expected: Terms): Formula | undefined {
  // More readers than a formula has are not worth a search: the result could not vanish.
  let ring = [t];
  for (let depth = 0; depth < 4 && ring.length > 0; depth++) {
    const readers = new Set(ring.flatMap((value) => [...value.users.keys()].slice(0, 4)));
    ring = [];
    for (const root of readers) {
      const output = root.output();
      if (!output || !root.is(...arithmetic)) continue;
      const polynomial = polynomialOf(output, { x, t });
      if (polynomial && isPolynomial(polynomial, expected)) return { ...polynomial, root };
      ring.push(output);
    }
  }
  return undefined;
}

/** Why an elementwise formula of x with constants up to this rank is not an operator of x alone. */
export function unfit(x: Value, rank: number, facts: Facts): string | undefined {
  const fact = facts.of(x);
  if (fact.type !== 'float32') return `the element type of '${x.name}' is ${fact.type ?? 'not known'}, not float32`;
  if (rank === 0 || (fact.rank ?? -1) >= rank) return undefined;
  return `a constant has rank ${rank}, and the rank of '${x.name}' is ${fact.rank ?? 'not known'}`;
}
