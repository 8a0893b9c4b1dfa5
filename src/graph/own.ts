/** What a table of literals has under this name itself: a name from a file may be one that every object inherits ('constructor'). */
export function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
