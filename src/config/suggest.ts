/** The candidate that `word` is most likely a slip of, if any is near enough. */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  const reach = Math.min(3, Math.floor(word.length * 0.4))
  let best: string | undefined
  let bestDistance = reach + 1
  for (const candidate of candidates) {
    const distance = distanceOf(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/** Damerau-Levenshtein (optimal string alignment): a swap of neighbours is one slip. */
function distanceOf(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const here = [row]
    for (let column = 1; column <= b.length; column++) {
      const differs = a[row - 1] === b[column - 1] ? 0 : 1
      let cost = Math.min(at(above, column) + 1, at(here, column - 1) + 1, at(above, column - 1) + differs)
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) cost = Math.min(cost, at(before, column - 2) + 1)
      here.push(cost)
    }
    ;[before, above] = [above, here]
  }
  return at(above, b.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}
