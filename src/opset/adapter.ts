/**
 * The contract of an adapter: what must happen to a node when its operator changes meaning or form at some opset. Shared code
 * decides which nodes need it; the adapter changes one node, in place where it can, so that the node keeps its name.
 */
import type { QdqError } from '../errors/qdq-error.ts';
import type { Node } from '../graph/node.ts';
import type { Size } from '../graph/shapes/size.ts';
import type { DataTypeName } from '../onnx/data-types.ts';

export interface Adapter {
  /** The operators that change in this way. */
  readonly ops: readonly string[];
  /** The opset at which the change takes effect. What the adapter makes is valid at this opset. */
  readonly version: number;
  /** True when it changed the node. */
  adapt(node: Node, context: AdaptContext): boolean;
}

export interface AdaptContext {
  /** Element type of the node's data: of its first output or input. Undefined when nothing in the file tells. */
  readonly type: DataTypeName | undefined;
  /** Shape of the node's first input, as far as it follows from the graph. Undefined when not even the rank does. */
  readonly dims: readonly Size[] | undefined;
  /** The error that says why this node cannot be upgraded: to be thrown. */
  cannot(reason: string): QdqError;
}
