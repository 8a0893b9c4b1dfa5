/**
 * The contract of a pass over the float graph. A pass never changes what the model computes; whatever it leaves alone for a
 * reason that a user may ask about is returned as data, not thrown.
 */
import type { Executor, Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import type { Value } from '../graph/value.ts';

/** One rewrite that was made. */
export interface Applied {
  readonly pass: string;
  /** Labels of the nodes that went in, in order. */
  readonly nodes: readonly string[];
  /** Label of the node that carries the result; undefined when the nodes just vanished. */
  readonly into: string | undefined;
}

/** One rewrite that looked possible and was not made. */
export interface Refused {
  readonly pass: string;
  readonly node: string;
  /** A full sentence part: "the weight is computed at run time". */
  readonly reason: string;
  /** The operator set at which it would be made: nothing else is in its way. */
  readonly needsOpset?: number;
}

export interface PassContext {
  readonly executor: Executor;
  /** The table that this Transpose turns and that is to stay one constant, because it is also read as it is. */
  tied(node: Node): Value | undefined;
  applied(nodes: readonly string[], into?: string): void;
  refused(node: string, reason: string, needsOpset?: number): void;
}

export interface Pass {
  /** Kebab-case, unique: what `--skip` names and reports print. */
  readonly name: string;
  /** One line for `qdq fuse --help` and the docs. */
  readonly summary: string;
  /** Returns true when the model was changed. */
  run(model: Model, context: PassContext): boolean | Promise<boolean>;
}

export interface FusionLog {
  readonly applied: Applied[];
  readonly refused: Refused[];
}
