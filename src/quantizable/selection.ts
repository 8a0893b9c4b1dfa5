/** --include, --exclude and --override: a node name, an operator type, or /a regular expression/ over both. */
import type { Scheme } from '../backends/targets/target.ts';
import { planErrors } from '../errors/quantizable.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { isQuantizedAlready } from './kept-nodes.ts';
import type { PlannedFloat } from './plan.ts';

/** Which nodes the user names, and what overrides say. */
export interface SelectionRequest {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Nodes of the original model that fusion merged into others: original label → surviving label. */
  readonly fused?: ReadonlyMap<string, string>;
  readonly overrides?: NodeOverrides | undefined;
  /** A plan in which nothing is quantized is no error: it is one of several of the model. */
  readonly mayBeEmpty?: boolean;
}

/** What overrides say of single nodes, as one plan of the model sees it. */
export interface NodeOverrides {
  /** Those that hold for the node, as the user wrote them; undefined: none. */
  text(node: Node): string | undefined;
  /** True for a node that another plan speaks of, because it is written in another format. */
  foreign(node: Node): boolean;
  /** True for a node that is to stay float. */
  float(node: Node): boolean;
  /** Undefined: the scheme of the plan. */
  scheme(node: Node): Scheme | undefined;
}

/** What the selection says of single nodes. */
export interface NodeSelection {
  /** Undefined when selected, else why not. */
  reason(node: Node): string | undefined;
  /** True when --exclude or an override says of this node that it stays float. */
  left(node: Node): boolean;
  /** True when the user named this node or its type: stronger than a target's preference. */
  wanted(node: Node): boolean;
  /** True when another plan speaks of this node. */
  foreign(node: Node): boolean;
  /** True when an override holds for the node and not for `host`, so that they cannot be one region. */
  apart(node: Node, host: Node): boolean;
}

/** Makes the plan's entry for a node that it leaves float. */
export function plannedFloat(node: Node, reason: string, selection: NodeSelection): PlannedFloat {
  const tensor = isQuantizedAlready(node) ? undefined : node.outputs.find((value) => value !== null)?.name;
  return {
    node: node.label,
    op: node.opType,
    reason,
    ...(tensor !== undefined && { tensor }),
    ...(selection.left(node) && { named: true as const }),
  };
}

/** Whether a pattern matches a node. */
export type NodeTest = (node: Node) => boolean;

/** Compiles a selection. @throws PLAN_NO_MATCH for a pattern that matches nothing, with the nearest name; PLAN_BAD_PATTERN */
export function selectNodes(model: Model, request: SelectionRequest): NodeSelection {
  const include = compilePatterns(model, 'include', request.include ?? [], request.fused);
  const exclude = compilePatterns(model, 'exclude', request.exclude ?? [], request.fused);
  const { overrides } = request;
  return {
    reason(node) {
      if (overrides?.foreign(node)) return `written in another format by --override '${overrides.text(node)}'`;
      const excluded = exclude.find(({ test }) => test(node));
      if (excluded) return `excluded by --exclude ${excluded.pattern}`;
      if (include.length > 0 && !include.some(({ test }) => test(node))) return 'not matched by --include';
      return overrides?.float(node) ? `left float by --override '${overrides.text(node)}'` : undefined;
    },
    left: (node) => exclude.some(({ test }) => test(node)) || (overrides?.float(node) ?? false),
    wanted: (node) => include.some(({ test }) => test(node)) || overrides?.text(node) !== undefined,
    foreign: (node) => overrides?.foreign(node) ?? false,
    apart(node, host) {
      const own = overrides?.text(node);
      return own !== undefined && own !== overrides?.text(host);
    },
  };
}

type PatternFlag = 'include' | 'exclude' | 'override';

/** Compiles patterns to tests of nodes. @throws PLAN_NO_MATCH, PLAN_BAD_PATTERN */
export function compilePatterns(
  model: Model,
  flag: PatternFlag,
  patterns: readonly string[],
  fused: ReadonlyMap<string, string> | undefined,
): { pattern: string; test: NodeTest }[] {
  return patterns.map((pattern) => {
    const survivor = fused?.get(pattern);
    const test: NodeTest = isRegex(pattern)
      ? matcher(flag, pattern)
      : (node) => node.name === pattern || node.label === pattern || node.opType === pattern || node.label === survivor;
    if (![...model.allNodes()].some(test)) {
      const names = new Set<string>(fused?.keys());
      for (const node of model.allNodes()) names.add(node.label).add(node.opType);
      throw planErrors.noMatch(flag, pattern, names);
    }
    return { pattern, test };
  });
}

/** A node name may hold slashes itself ('/layer1/conv/Conv'): only /…/ with optional flags is a pattern. */
function isRegex(pattern: string): boolean {
  return /^\/.+\/[imsu]*$/.test(pattern);
}

function matcher(flag: PatternFlag, pattern: string): NodeTest {
  const end = pattern.lastIndexOf('/');
  try {
    const regex = new RegExp(pattern.slice(1, end), pattern.slice(end + 1));
    return (node) => regex.test(node.label) || regex.test(node.opType);
  } catch (error) {
    throw planErrors.badPattern(flag, pattern, (error as Error).message);
  }
}
