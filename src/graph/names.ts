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
