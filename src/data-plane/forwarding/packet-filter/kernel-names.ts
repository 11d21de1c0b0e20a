/**
 * Short numbers for long keys, for the names of sets, chains and counters. A key keeps its number as long as each render uses it; numbers never come
 * back, so that a late log line is not taken for another rule's.
 */
export class KernelNames {
  #numbers = new Map<string, number>()
  #used = new Map<string, number>()
  #next: number

  /** @param first of the numbers that are not taken otherwise */
  constructor(first: number) {
    this.#next = first
  }

  number(key: string): number {
    const known = this.#used.get(key) ?? this.#numbers.get(key) ?? this.#next++
    this.#used.set(key, known)
    return known
  }

  /** Ends a render: keys that it did not ask for are forgotten. */
  sweep(): void {
    this.#numbers = this.#used
    this.#used = new Map()
  }
}
