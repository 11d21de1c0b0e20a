/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`; more than `limit` counts as `limit + 1`. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let best = Math.min(replace, (last[j] as number) + 1, (row[j - 1] as number) + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (beforeLast[j - 2] as number) + 1)
      row.push(best)
    }
    beforeLast = last
    last = row
  }
  return Math.min(last[b.length] as number, limit + 1)
}

/** The candidates nearest to a word, at most two edits away and never more than half of the word; none when it is one of them. */
export function nearest(word: string, candidates: Iterable<string>): readonly string[] {
  const limit = Math.min(2, Math.floor(word.length / 2))
  let best = limit + 1
  let found: string[] = []
  for (const candidate of new Set(candidates)) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), limit)
    if (distance > limit || distance > best) continue
    if (distance < best) found = []
    best = distance
    found.push(candidate)
  }
  return best === 0 && found.includes(word) ? [] : found
}

/** `did you mean "a" or "b"?`; undefined where nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const found = nearest(word, candidates).slice(0, 3)
  return found.length === 0 ? undefined : `did you mean ${found.map((one) => `"${one}"`).join(' or ')}?`
}
