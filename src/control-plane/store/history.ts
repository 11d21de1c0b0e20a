import type { Version } from './version.ts'

/** Committed versions in revision order, back to the last compaction: what watches replay. */
export class History {
  #versions: Version[] = []
  #start = 0

  get length(): number {
    return this.#versions.length - this.#start
  }

  push(version: Version): void {
    this.#versions.push(version)
  }

  /** The oldest version, if its revision is not above `revision`: taken out. */
  shiftThrough(revision: number): Version | undefined {
    const first = this.#versions[this.#start]
    if (!first || first.modRevision > revision) return undefined
    this.#start++
    if (this.#start > 1024 && this.#start * 2 > this.#versions.length) {
      this.#versions = this.#versions.slice(this.#start)
      this.#start = 0
    }
    return first
  }

  hasThrough(revision: number): boolean {
    const first = this.#versions[this.#start]
    return first !== undefined && first.modRevision <= revision
  }

  /**
   * Calls `visit` from `revision` on until it returns false, which it is asked only between revisions.
   * @returns the first revision not visited, undefined when all were
   */
  replay(revision: number, visit: (version: Version) => void, more: () => boolean): number | undefined {
    let previous = 0
    for (let i = this.#lowerBound(revision); i < this.#versions.length; i++) {
      const version = this.#versions[i] as Version
      if (version.modRevision !== previous && previous !== 0 && !more()) return version.modRevision
      visit(version)
      previous = version.modRevision
    }
    return undefined
  }

  #lowerBound(revision: number): number {
    let low = this.#start
    let high = this.#versions.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#versions[middle] as Version).modRevision < revision) low = middle + 1
      else high = middle
    }
    return low
  }
}
