/** --include and --exclude: a node name, an operator type, or /a regular expression/ over both. */
import { planErrors } from '../errors/quantizable.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';

export interface SelectionRequest {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Nodes of the original model that fusion merged into others: original label → surviving label. */
  readonly fused?: ReadonlyMap<string, string>;
}

export interface NodeSelection {
  /** Undefined when selected, else why not. */
  reason(node: Node): string | undefined;
  /** True when the user named this node or its type: stronger than a target's preference. */
  wanted(node: Node): boolean;
}

type Test = (node: Node) => boolean;

/** Throws when a pattern matches nothing, with the nearest name. */
export function selectNodes(model: Model, request: SelectionRequest): NodeSelection {
  const include = compile(model, 'include', request.include ?? [], request.fused);
  const exclude = compile(model, 'exclude', request.exclude ?? [], request.fused);
  return {
    reason(node) {
      const excluded = exclude.find(({ test }) => test(node));
      if (excluded) return `excluded by --exclude ${excluded.pattern}`;
      if (include.length > 0 && !include.some(({ test }) => test(node))) return 'not matched by --include';
      return undefined;
    },
    wanted: (node) => include.some(({ test }) => test(node)),
  };
}

function compile(
  model: Model,
  flag: 'include' | 'exclude',
  patterns: readonly string[],
  fused: ReadonlyMap<string, string> | undefined,
): { pattern: string; test: Test }[] {
  return patterns.map((pattern) => {
    const survivor = fused?.get(pattern);
    const test: Test = isRegex(pattern)
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

function matcher(flag: 'include' | 'exclude', pattern: string): Test {
  const end = pattern.lastIndexOf('/');
  try {
    const regex = new RegExp(pattern.slice(1, end), pattern.slice(end + 1));
    return (node) => regex.test(node.label) || regex.test(node.opType);
  } catch (error) {
    throw planErrors.badPattern(flag, pattern, (error as Error).message);
  }
}
