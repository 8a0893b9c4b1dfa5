/**
 * Pairs the tensors of two models by structure alone, for models that carry no record of where they come from: from the
 * outputs backwards and from the inputs forwards, over nodes of the same operator, attributes and place, looking through
 * quantizers and copies. Tensors pair when paired nodes read, or make, them in the same place. Names count for graph inputs and
 * outputs only, which are the interface. Nothing is paired across nodes that are not alike.
 */
import type { Attribute } from '../../graph/attribute.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import { isDequantize, isQuantize } from '../regions.ts';
import { bare, constantCodes } from './quantizers.ts';

/** The float model's value by the other model's. */
export type Matches = ReadonlyMap<Value, Value>;

export function matchStructure(float: Model, other: Model): Matches {
  const matcher = new Matcher();
  matcher.interface(float.graph.outputs, other.graph.outputs);
  matcher.interface(float.feeds, other.feeds);
  matcher.run();
  return matcher.values;
}

class Matcher {
  readonly values = new Map<Value, Value>();
  readonly #taken = new Set<Value>();
  readonly #nodes = new Map<Node, Node>();
  readonly #takenNodes = new Set<Node>();
  readonly #queue: [Value, Value][] = [];

  interface(float: readonly Value[], other: readonly Value[]): void {
    const byName = new Map(float.map((value) => [value.name, value]));
    const named = other.every(({ name }) => byName.has(name));
    other.forEach((value, index) => {
      const partner = named ? byName.get(value.name) : other.length === float.length ? float[index] : undefined;
      if (partner) this.#pair(partner, value);
    });
  }

  run(): void {
    do {
      for (let next = this.#queue.pop(); next; next = this.#queue.pop()) this.#backwards(...next);
      for (const [b, a] of [...this.values]) this.#forwards(a, b);
    } while (this.#queue.length > 0);
  }

  #pair(float: Value, other: Value): void {
    const [a, b] = [bare(float), bare(other)];
    if (this.values.has(b) || this.#taken.has(a)) return;
    const [constantA, constantB] = [a.constant, b.constant ?? constantCodes(b)];
    if ((constantA === undefined) !== (constantB === undefined)) return;
    if (constantA && String(constantA.dims) !== String(constantB!.dims)) return;
    this.values.set(b, a);
    this.#taken.add(a);
    if (!constantA) this.#queue.push([a, b]);
  }

  #backwards(a: Value, b: Value): void {
    const maker = b.producer;
    if (!a.producer || !maker) return;
    if (alike(a.producer, maker)) this.#pairNodes(a.producer, maker);
    else {
      // A quantizer that cuts where the limit lies has taken its place.
      const limited = limiterInput(a);
      if (limited?.producer && alike(limited.producer, maker)) this.#pairNodes(limited.producer, maker);
    }
  }

  /** The one reader of each kind and place. */
  #forwards(a: Value, b: Value): void {
    const [readersA, readersB] = [readersOf(a), readersOf(b)];
    for (const [key, group] of readersB) {
      const groupA = readersA.get(key)?.filter((node) => !this.#takenNodes.has(node)) ?? [];
      const groupB = group.filter((node) => !this.#nodes.has(node));
      if (groupA.length !== 1 || groupB.length !== 1 || !alike(groupA[0]!, groupB[0]!)) continue;
      const [nodeA, nodeB] = [groupA[0]!, groupB[0]!];
      const [outA, outB] = [nodeA.output(), nodeB.output()];
      const limiter = outA?.soleUser;
      const absorbed = limiter && limits(limiter) && outB && ![...readersOf(outB).values()].flat().some(limits);
      if (absorbed && quantizedOnly(outB)) this.#pair(limiter.output()!, outB);
      this.#pairNodes(nodeA, nodeB);
    }
  }

  #pairNodes(a: Node, b: Node): void {
    if (this.#nodes.has(b) || this.#takenNodes.has(a)) return;
    this.#nodes.set(b, a);
    this.#takenNodes.add(a);
    b.outputs.forEach((output, index) => {
      const partner = a.output(index);
      if (output && partner) this.#pair(partner, output);
    });
    const order = b.inputs.map((_, index) => index);
    if (commutes(b) && swapped(a, b)) order.reverse();
    b.inputs.forEach((input, index) => {
      const partner = a.input(order[index]!);
      if (input && partner) this.#pair(partner, input);
    });
    const [bodiesA, bodiesB] = [a.subgraphs(), b.subgraphs()];
    bodiesB.forEach((body, index) => {
      const partner = bodiesA[index]!;
      body.inputs.forEach((input, i) => partner.inputs[i] && this.#pair(partner.inputs[i], input));
      body.outputs.forEach((output, i) => partner.outputs[i] && this.#pair(partner.outputs[i], output));
    });
  }
}

const limits = (node: Node): boolean => node.is('Relu', 'Clip');

function limiterInput({ producer }: Value): Value | undefined {
  return producer && limits(producer) ? producer.input(0) : undefined;
}

function quantizedOnly(value: Value): boolean {
  return [...value.users.keys()].every(isQuantize);
}

/** Nodes that read the value, through copies and quantizers, by operator and place. */
function readersOf(value: Value): Map<string, Node[]> {
  const found = new Map<string, Node[]>();
  const pending = [value];
  for (let next = pending.pop(); next; next = pending.pop()) {
    for (const user of next.users.keys()) {
      const output = user.output();
      const copies = user.is('Identity') || (user.is('Sum') && user.inputs.length === 1);
      if (output && (copies || isQuantize(user) || isDequantize(user))) pending.push(output);
      else {
        const key = `${user.domain} ${user.opType} ${user.inputs.indexOf(next)}`;
        found.set(key, [...(found.get(key) ?? []), user]);
      }
    }
  }
  return found;
}

function alike(a: Node, b: Node): boolean {
  if (a.opType !== b.opType || a.domain !== b.domain || a.outputs.length !== b.outputs.length) return false;
  if (a.subgraphs().length !== b.subgraphs().length) return false;
  const places = Math.min(a.inputs.length, b.inputs.length);
  for (let index = 0; index < places; index++) {
    const [inA, inB] = [a.input(index), b.input(index)];
    const [constantA, constantB] = [inA?.constant, inB && (bare(inB).constant ?? constantCodes(bare(inB)))];
    if (constantA && constantB && String(constantA.dims) !== String(constantB.dims)) return false;
  }
  for (const [name, attribute] of a.attributes) {
    const other = b.attributes.get(name);
    if (other && contentOf(attribute) !== contentOf(other)) return false;
  }
  return true;
}

/** Of plain attributes; bodies are compared by their nodes. */
function contentOf(attribute: Attribute): string {
  const { kind } = attribute;
  if (kind === 'graph' || kind === 'graphs' || kind === 'opaque' || kind === 'tensor') return kind;
  return `${kind} ${String(attribute.value)}`;
}

const commutes = (node: Node): boolean => node.is('Add', 'Mul', 'Sum', 'Max', 'Min') && node.inputs.length === 2;

/** Whether the operands are alike the other way round only. */
function swapped(a: Node, b: Node): boolean {
  const kind = (node: Node, index: number): string => {
    const value = bare(node.input(index)!);
    return value.constant || constantCodes(value) ? 'constant' : (value.producer?.opType ?? `input ${value.name}`);
  };
  const straight = kind(a, 0) === kind(b, 0) && kind(a, 1) === kind(b, 1);
  return !straight && kind(a, 0) === kind(b, 1) && kind(a, 1) === kind(b, 0);
}
