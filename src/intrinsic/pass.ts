/**
 * The contract of a pass over the float graph. A pass never changes what the model computes; whatever it leaves alone for a
 * reason that a user may ask about is returned as data, not thrown.
 */
import type { Executor, Model } from '../graph/model.ts';
import { createFacts, type Facts } from '../graph/facts.ts';
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

/** What a pass over single nodes knows of the model. */
export interface Surroundings {
  readonly opset: number;
  /** Types, shapes and short integers, as they follow from the graph. */
  readonly facts: Facts;
}

/** A pass that visits one node after the other. `visit` returns true when it changed the model. */
export function nodePass(
  name: string,
  summary: string,
  visit: (node: Node, around: Surroundings, context: PassContext) => boolean,
): Pass {
  return {
    name,
    summary,
    run(model, context) {
      const around = { opset: model.opset, facts: createFacts() };
      let changed = false;
      for (const node of model.allNodes()) if (visit(node, around, context)) changed = true;
      return changed;
    },
  };
}

/** A change that a rule proposes. */
export interface Proposal {
  /** The nodes that go in, in order. The first that is still in a graph afterwards carries the result. */
  readonly nodes: readonly Node[];
  /** The node of which a refusal tells; absent: the visited one. */
  readonly about?: Node;
  /** Makes the change, or returns the reason why it cannot be made, having changed nothing. */
  apply(): string | undefined;
}

/** A pass that proposes one change per node, and reports whether it was made or why not. */
export function rulePass(
  name: string,
  summary: string,
  propose: (node: Node, around: Surroundings) => Proposal | undefined,
): Pass {
  return nodePass(name, summary, (node, around, { applied, refused }) => {
    const proposal = propose(node, around);
    if (!proposal) return false;
    const { nodes, about = node } = proposal;
    // Labels may change, and nodes leave the graph, with the change.
    const [labels, label] = [nodes.map((each) => each.label), about.label];
    const reason = proposal.apply();
    if (reason === undefined) applied(labels, labels[nodes.findIndex((each) => each.graph !== undefined)]);
    else refused(label, reason);
    return reason === undefined;
  });
}
