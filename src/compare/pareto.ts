/** Which of several models are worth choosing from: those that no other beats in one thing without losing in another. */

/** What counts, each as a figure of which more is better; undefined where it was not measured: then it decides nothing. */
export type Merits = readonly (number | undefined)[];

/** For each candidate whether it is on the Pareto front. Equals do not beat each other. */
export function paretoFront(candidates: readonly Merits[]): boolean[] {
  return candidates.map((own) => !candidates.some((other) => beats(other, own)));
}

/** As good in everything that both have, and better in something. */
function beats(other: Merits, own: Merits): boolean {
  let better = false;
  for (const [i, merit] of own.entries()) {
    const rival = other[i];
    if (merit === undefined || rival === undefined) continue;
    if (rival < merit) return false;
    better ||= rival > merit;
  }
  return better;
}
