/**
 * A value is what flows along an edge: a graph input, a constant, or one output of a node. It knows its producer and its
 * users (in this graph and in the subgraphs that capture it), so that rewriting never searches the graph.
 */
import { dataTypeOfCode, type DataTypeName } from '../onnx/data-types.ts';
import type { Int64, TypeProto, ValueInfoProto } from '../onnx/messages.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Graph } from './graph.ts';
import type { Node } from './node.ts';

/** A fixed dimension is a number, a symbolic one its name, an unknown one null. */
export type Dim = number | string | null;

export class Value {
  /** Change it with `graph.rename`, which keeps names unique. */
  name: string;
  readonly graph: Graph;
  producer: Node | undefined;
  /** User nodes with the number of input positions in which they read this value, in order of first use. */
  readonly users = new Map<Node, number>();
  /** Graphs whose output list names this value, with the number of times. */
  readonly outputOf = new Map<Graph, number>();
  isInput = false;
  /** Its content, when it is an initializer. */
  initializer: Tensor | undefined;
  /** Type, documentation and metadata as the file had them. */
  info: ValueInfoProto | undefined;

  constructor(name: string, graph: Graph) {
    this.name = name;
    this.graph = graph;
  }

  get isOutput(): boolean {
    return this.outputOf.size > 0;
  }

  /** True when nothing outside can change it: an initializer that is not listed among the graph inputs. */
  get isConstant(): boolean {
    return this.initializer !== undefined && !this.isInput;
  }

  /** The constant content, or undefined. */
  get constant(): Tensor | undefined {
    return this.isInput ? undefined : this.initializer;
  }

  /** Number of reads: input positions of nodes plus graph outputs. */
  get useCount(): number {
    let count = 0;
    for (const n of this.users.values()) count += n;
    for (const n of this.outputOf.values()) count += n;
    return count;
  }

  /** The only user when exactly one input position reads this value and no graph output does. */
  get soleUser(): Node | undefined {
    if (this.users.size !== 1 || this.isOutput) return undefined;
    const [node, count] = this.users.entries().next().value!;
    return count === 1 ? node : undefined;
  }

  /** Element type, if the file or the content tells it. */
  get type(): DataTypeName | undefined {
    if (this.initializer) return this.initializer.type.name;
    const code = this.info?.type?.tensorType?.elemType;
    return code ? dataTypeOfCode(code)?.name : undefined;
  }

  /** Dimensions, if the rank is known. */
  get dims(): readonly Dim[] | undefined {
    if (this.initializer) return this.initializer.dims;
    const shape = this.info?.type?.tensorType?.shape;
    if (!shape) return undefined;
    return (shape.dim ?? []).map(dimOf);
  }

  /** Records a tensor type; documentation and metadata of the old record stay. */
  setType(elemType: number, dims?: readonly Dim[]): void {
    const type: TypeProto = { tensorType: { elemType } };
    if (dims) {
      type.tensorType!.shape = {
        dim: dims.map((d) => (typeof d === 'number' ? { dimValue: d } : typeof d === 'string' ? { dimParam: d } : {})),
      };
    }
    this.info = { ...this.info, name: this.name, type };
  }

  addUse(node: Node): void {
    this.users.set(node, (this.users.get(node) ?? 0) + 1);
  }

  removeUse(node: Node): void {
    const count = this.users.get(node);
    if (count === undefined) throw new Error(`value '${this.name}' has no use by node '${node.label}'`);
    if (count === 1) this.users.delete(node);
    else this.users.set(node, count - 1);
  }
}

/** Old exporters (PaddlePaddle's) write -1 and '?' for what is open; two of the latter need not be equal. */
function dimOf({ dimValue, dimParam }: { readonly dimValue?: Int64; readonly dimParam?: string }): Dim {
  if (dimValue !== undefined) return Number(dimValue) < 0 ? null : Number(dimValue);
  return dimParam && dimParam !== '?' ? dimParam : null;
}
