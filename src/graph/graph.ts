/**
 * A graph owns its values and an ordered list of nodes. The list is linked, so nodes may be inserted and removed while it is
 * walked. A body graph (If, Loop, Scan) has an `owner` node; names it does not define are looked up outwards.
 */
import type { GraphProto } from '../onnx/messages.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Names } from './names.ts';
import { Node } from './node.ts';
import { Value, type Dim } from './value.ts';

export interface NodeSpec {
  readonly domain?: string;
  readonly name?: string;
  /** Names of new outputs, made unique; the default is one output named after the node. */
  readonly outputs?: readonly string[];
}

export class Graph {
  name: string;
  readonly names: Names;
  readonly owner: Node | undefined;
  readonly origin: GraphProto | undefined;
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly values = new Map<string, Value>();
  #first: Node | undefined;
  #last: Node | undefined;
  #size = 0;

  constructor(name: string, names: Names, owner?: Node, origin?: GraphProto) {
    this.name = name;
    this.names = names;
    this.owner = owner;
    this.origin = origin;
  }

  get nodeCount(): number {
    return this.#size;
  }

  /** Nodes in list order. The current node, and any other, may be removed or replaced during the walk. */
  *nodes(): Generator<Node> {
    let node = this.#first;
    while (node) {
      yield node;
      // A removed node keeps its `next`; follow it to one that is still in the list.
      let following: Node | undefined = node.next;
      while (following && following.graph !== this) following = following.next;
      node = following;
    }
  }

  /** This graph and every body graph below it. */
  *graphs(): Generator<Graph> {
    yield this;
    for (const node of this.nodes()) for (const body of node.subgraphs()) yield* body.graphs();
  }

  /** A value of this graph or of an enclosing one. */
  find(name: string): Value | undefined {
    return this.values.get(name) ?? this.owner?.graph?.find(name);
  }

  /** A new value with a unique name near `base`. */
  addValue(base: string): Value {
    const value = new Value(this.names.unique(base), this);
    this.values.set(value.name, value);
    return value;
  }

  addInput(base: string, elemType: number, dims?: readonly Dim[]): Value {
    const value = this.addValue(base);
    value.setType(elemType, dims);
    value.isInput = true;
    this.inputs.push(value);
    return value;
  }

  addInitializer(tensor: Tensor): Value {
    const value = this.addValue(tensor.name);
    value.initializer = value.name === tensor.name ? tensor : tensor.renamed(value.name);
    return value;
  }

  addOutput(value: Value): void {
    this.outputs.push(value);
    value.outputOf.set(this, (value.outputOf.get(this) ?? 0) + 1);
  }

  /** Makes `value` the output at `index` in place of the one there. */
  setOutput(index: number, value: Value): void {
    const old = this.outputs[index]!;
    const count = old.outputOf.get(this)!;
    if (count === 1) old.outputOf.delete(this);
    else old.outputOf.set(this, count - 1);
    this.outputs[index] = value;
    value.outputOf.set(this, (value.outputOf.get(this) ?? 0) + 1);
  }

  /** Gives the value another name, unique near `base`. */
  rename(value: Value, base: string): void {
    this.values.delete(value.name);
    value.name = this.names.unique(base);
    this.values.set(value.name, value);
    if (value.info) value.info = { ...value.info, name: value.name };
    if (value.initializer) value.initializer = value.initializer.renamed(value.name);
  }

  /** Swaps the names of two values: how a graph output keeps its name when another value takes its place. */
  swapNames(a: Value, b: Value): void {
    const [nameA, nameB] = [a.name, b.name];
    for (const [value, name] of [
      [a, nameB],
      [b, nameA],
    ] as const) {
      value.name = name;
      this.values.set(name, value);
      if (value.info) value.info = { ...value.info, name };
      if (value.initializer) value.initializer = value.initializer.renamed(name);
    }
  }

  /** A node made and wired but not yet placed; see append, insertBefore and insertAfter. */
  makeNode(opType: string, inputs: readonly (Value | null)[], spec: NodeSpec = {}): Node {
    const node = new Node(opType, spec.name ?? '', spec.domain ?? '');
    inputs.forEach((value, index) => node.setInput(index, value));
    const outputs = spec.outputs ?? [`${spec.name ?? opType}_output`];
    outputs.forEach((base, index) => node.setOutput(index, this.addValue(base)));
    return node;
  }

  append(node: Node): Node {
    return this.#link(node, this.#last, undefined);
  }

  /** Places the node first in the list. */
  prepend(node: Node): Node {
    return this.#link(node, undefined, this.#first);
  }

  insertBefore(node: Node, anchor: Node): Node {
    return this.#link(node, anchor.previous, anchor);
  }

  insertAfter(node: Node, anchor: Node): Node {
    return this.#link(node, anchor, anchor.next);
  }

  /** Takes the node out; its outputs must be unused. Their values leave the graph with it. */
  remove(node: Node): void {
    for (const value of node.outputs) {
      if (!value) continue;
      if (value.useCount > 0) throw new Error(`node '${node.label}' cannot be removed: '${value.name}' is in use`);
      value.producer = undefined;
      this.values.delete(value.name);
    }
    releaseReads(node);
    if (node.previous) node.previous.next = node.next;
    else this.#first = node.next;
    if (node.next) node.next.previous = node.previous;
    else this.#last = node.previous;
    node.graph = undefined;
    this.#size--;
  }

  /** Relinks the list in the given order, which must hold every node of the graph once. */
  reorder(order: readonly Node[]): void {
    this.#first = order[0];
    this.#last = order[order.length - 1];
    order.forEach((node, index) => {
      node.previous = order[index - 1];
      node.next = order[index + 1];
    });
  }

  /** Every read of `value`, graph outputs included, becomes a read of `replacement`. Names stay with their values. */
  replaceUses(value: Value, replacement: Value): void {
    for (const user of [...value.users.keys()]) {
      user.inputs.forEach((input, index) => {
        if (input === value) user.setInput(index, replacement);
      });
    }
    for (const graph of [...value.outputOf.keys()]) {
      graph.outputs.forEach((output, index) => {
        if (output === value) graph.setOutput(index, replacement);
      });
    }
  }

  /** Forgets a value that nothing produces or reads (an initializer that lost its last user). */
  removeValue(value: Value): void {
    if (value.useCount > 0 || value.producer) throw new Error(`value '${value.name}' is in use`);
    if (value.isInput) this.inputs.splice(this.inputs.indexOf(value), 1);
    this.values.delete(value.name);
  }

  #link(node: Node, previous: Node | undefined, next: Node | undefined): Node {
    if (node.graph) throw new Error(`node '${node.label}' already stands in a graph`);
    node.graph = this;
    node.previous = previous;
    node.next = next;
    if (previous) previous.next = node;
    else this.#first = node;
    if (next) next.previous = node;
    else this.#last = node;
    this.#size++;
    return node;
  }
}

/** Takes back every read of the node and of its body graphs, whose outputs may name values of outer graphs. */
function releaseReads(node: Node): void {
  node.truncateInputs(0);
  for (const body of node.subgraphs()) {
    for (const inner of body.nodes()) releaseReads(inner);
    for (const output of body.outputs) output.outputOf.delete(body);
  }
}
