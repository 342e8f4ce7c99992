/** @returns the known word that `given` most probably was meant to be, if any is near enough. */
export function closest(given: string, known: readonly string[]): string | undefined {
  const near = known
    .map((word) => ({ word, distance: distance(given.toLowerCase(), word) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return near && near.distance <= Math.max(1, Math.floor(near.word.length / 3))
    ? near.word
    : undefined;
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from one to the other. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const at = (r: number, c: number) => (r === i ? row[c] : rows[r]?.[c]) ?? Infinity;
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? at(i - 2, j - 2) + 1
          : Infinity;
      row[j] = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced, swapped);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? Infinity;
}
