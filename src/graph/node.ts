/**
 * A node applies an operator to values. Its inputs and outputs are Values (null for an omitted optional one); changing them
 * keeps the use-def edges right. Attributes keep the message they came from, so an untouched node is saved unchanged.
 */
import type { Int64, NodeProto } from '../onnx/messages.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Attribute } from './attribute.ts';
import type { Graph } from './graph.ts';
import type { Value } from './value.ts';

export class Node {
  name: string;
  opType: string;
  /** Normalised: the default domain is ''. */
  domain: string;
  readonly inputs: (Value | null)[] = [];
  readonly outputs: (Value | null)[] = [];
  readonly attributes = new Map<string, Attribute>();
  /** The message it was read from: documentation, metadata, overload and unknown fields are kept. */
  readonly origin: NodeProto | undefined;
  /** The graph it stands in; undefined once removed. */
  graph: Graph | undefined;
  previous: Node | undefined;
  next: Node | undefined;

  constructor(opType: string, name = '', domain = '', origin?: NodeProto) {
    this.opType = opType;
    this.name = name;
    this.domain = domain;
    this.origin = origin;
  }

  /** Its name, or for an unnamed node a stable one made of the operator and its first output. */
  get label(): string {
    if (this.name) return this.name;
    const output = this.outputs.find((value) => value !== null);
    return output ? `${this.opType}:${output.name}` : this.opType;
  }

  /** True for an operator of the default (ai.onnx) domain. */
  is(...opTypes: string[]): boolean {
    return this.domain === '' && opTypes.includes(this.opType);
  }

  input(index: number): Value | undefined {
    return this.inputs[index] ?? undefined;
  }

  output(index = 0): Value | undefined {
    return this.outputs[index] ?? undefined;
  }

  /** Content of a constant input, or undefined when it is absent or not constant. */
  constant(index: number): Tensor | undefined {
    return this.inputs[index]?.constant;
  }

  setInput(index: number, value: Value | null): void {
    const old = this.inputs[index];
    while (this.inputs.length < index) this.inputs.push(null);
    old?.removeUse(this);
    this.inputs[index] = value;
    value?.addUse(this);
  }

  /** Drops the inputs from `length` on. */
  truncateInputs(length: number): void {
    while (this.inputs.length > length) this.inputs.pop()?.removeUse(this);
  }

  setOutput(index: number, value: Value | null): void {
    const old = this.outputs[index];
    if (old && old.producer === this) old.producer = undefined;
    while (this.outputs.length < index) this.outputs.push(null);
    this.outputs[index] = value;
    if (value) value.producer = this;
  }

  int(name: string): number | undefined;
  int(name: string, fallback: number): number;
  int(name: string, fallback?: number): number | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'int' ? Number(attribute.value) : fallback;
  }

  float(name: string): number | undefined;
  float(name: string, fallback: number): number;
  float(name: string, fallback?: number): number | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'float' ? attribute.value : fallback;
  }

  string(name: string): string | undefined;
  string(name: string, fallback: string): string;
  string(name: string, fallback?: string): string | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'string' ? new TextDecoder().decode(attribute.value) : fallback;
  }

  ints(name: string): number[] | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'ints' ? attribute.value.map(Number) : undefined;
  }

  tensor(name: string): Tensor | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.kind === 'tensor' ? attribute.value : undefined;
  }

  setInt(name: string, value: Int64): void {
    this.attributes.set(name, { kind: 'int', value });
  }

  setInts(name: string, value: readonly Int64[]): void {
    this.attributes.set(name, { kind: 'ints', value: [...value] });
  }

  setFloat(name: string, value: number): void {
    this.attributes.set(name, { kind: 'float', value });
  }

  setString(name: string, value: string): void {
    this.attributes.set(name, { kind: 'string', value: new TextEncoder().encode(value) });
  }

  setTensor(name: string, value: Tensor): void {
    this.attributes.set(name, { kind: 'tensor', value });
  }

  /** The bodies of an If, Loop or Scan, in attribute order. */
  subgraphs(): readonly Graph[] {
    let bodies: Graph[] | undefined;
    for (const attribute of this.attributes.values()) {
      if (attribute.kind === 'graph') (bodies ??= []).push(attribute.value);
      else if (attribute.kind === 'graphs') (bodies ??= []).push(...attribute.value);
    }
    return bodies ?? none;
  }
}

/** Nearly every node: walks over large graphs ask each for its bodies. */
const none: readonly Graph[] = [];
