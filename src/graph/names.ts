/** Names of values and of nodes, and look-ups by names that come from a file. */
import type { Model } from './model.ts';
import type { Node } from './node.ts';

/** One name space for the values of a model, subgraphs included: a new name never shadows one that is in use anywhere. */
export class Names {
  readonly #taken = new Set<string>();
  /** The first suffix not yet tried, by base: thousands of copies of one name must not search from 1 each. */
  readonly #next = new Map<string, number>();

  reserve(name: string): void {
    this.#taken.add(name);
  }

  has(name: string): boolean {
    return this.#taken.has(name);
  }

  /** `base` itself when free, else `base_1`, `base_2`, …; the result is reserved. */
  unique(base: string): string {
    let name = base;
    let n = this.#next.get(base) ?? 1;
    while (this.#taken.has(name)) name = `${base}_${n++}`;
    if (n > 1) this.#next.set(base, n);
    this.#taken.add(name);
    return name;
  }
}

/**
 * Makes node names unique in their graph, because onnxruntime refuses a model in which two are the same: the later ones of each name
 * are numbered, `conv`, `conv_1`, … Unnamed nodes stay so.
 * @returns the nodes that were renamed
 */
export function separateNodeNames(model: Model): Node[] {
  const renamed: Node[] = [];
  for (const graph of model.graph.graphs()) {
    const taken = new Set<string>();
    const later: Node[] = [];
    const next = new Map<string, number>();
    for (const node of graph.nodes()) {
      if (taken.has(node.name)) later.push(node);
      else if (node.name) taken.add(node.name);
    }
    for (const node of later) {
      const base = node.name;
      let n = next.get(base) ?? 1;
      while (taken.has(`${base}_${n}`)) n++;
      next.set(base, n + 1);
      node.name = `${base}_${n}`;
      taken.add(node.name);
      renamed.push(node);
    }
  }
  return renamed;
}

/** Looks up a name from a file in a table of literals, ignoring what every object inherits ('constructor'). */
export function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
