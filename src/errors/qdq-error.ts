/**
 * Every error a user can see is a QdqError made by a named function: a catalogue per room in this folder.
 * A message names the file, node or tensor and the cause; the hint is the remedy. Tests assert codes, not prose.
 */

/** What the process exits with. 0 and 1 (a gate failed) are results, not errors. */
export const exitCodes = { usage: 2, data: 3, internal: 4, interrupted: 130 } as const;

/** Whose fault it is: the command line, the data, qdq itself, or an interrupt. */
export type ErrorKind = keyof typeof exitCodes;

/** An expected failure. `code` is stable and machine readable; `message` is one line; `hint` says what to do. */
export class QdqError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, code: string, message: string, hint?: string, cause?: unknown) {
    super(shortened(message), cause === undefined ? undefined : { cause });
    this.name = 'QdqError';
    this.kind = kind;
    this.code = code;
    this.hint = hint === undefined ? undefined : shortened(hint);
  }

  get exitCode(): number {
    return exitCodes[this.kind];
  }
}

/** More than this nobody reads, however many names or however long a name a file has. */
const longest = 2000;
const mostNames = 20;

function shortened(text: string): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 400)} ... ${text.slice(-395)}`;
}

/** `'a', 'b'`, the first of many. */
export function listed(names: Iterable<string>): string {
  const all = [...names];
  const more = all.length > mostNames ? ` and ${all.length - mostNames} more` : '';
  return (
    all
      .slice(0, mostNames)
      .map((name) => `'${name}'`)
      .join(', ') + more || 'none'
  );
}

/** Wrong flags, names or recipe keys: exit code 2. */
export function usageError(code: string, message: string, hint?: string, cause?: unknown): QdqError {
  return new QdqError('usage', code, message, hint, cause);
}

/** A bad model, bad samples or a file system that refuses: exit code 3. */
export function dataError(code: string, message: string, hint?: string, cause?: unknown): QdqError {
  return new QdqError('data', code, message, hint, cause);
}

/** The candidate nearest to a mistyped word, or undefined when nothing is near enough to be meant. Case breaks ties. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(word.length * 0.4)) + 1;
  let best: string | undefined;
  let least = Infinity;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), limit);
    if (distance >= limit) continue;
    const cost = distance + editDistance(word, candidate, word.length + candidate.length) / 1e6;
    if (cost < least) {
      least = cost;
      best = candidate;
    }
  }
  return best;
}

/** "did you mean 'x'?" or the fallback when nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>, fallback?: string): string | undefined {
  const match = nearest(word, candidates);
  return match === undefined ? fallback : `did you mean '${match}'?`;
}

/** Finds what a user named among all that there is. @param unknown makes the error for a name that nothing has, given those that exist */
export function findNamed<T>(
  all: readonly T[],
  name: string,
  nameOf: (each: T) => string,
  unknown: (name: string, known: readonly string[]) => QdqError,
): T {
  const found = all.find((each) => nameOf(each) === name);
  if (found) return found;
  throw unknown(name, all.map(nameOf));
}

/** Optimal string alignment distance (a swapped pair costs 1), cut off at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}
