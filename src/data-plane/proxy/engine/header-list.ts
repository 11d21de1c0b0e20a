import type { Headers } from '../contract.ts'

/** Fields in one flat list: name, value, name, value; names in lower case. Messages have a dozen: looking through them beats hashing. */
export class HeaderList implements Headers {
  pairs: string[]

  constructor(pairs: string[] = []) {
    this.pairs = pairs
  }

  static of(fields: readonly { readonly name: string; readonly value: string }[]): HeaderList {
    return new HeaderList(fields.flatMap(({ name, value }) => [name, value]))
  }

  /** A copy that changes by itself. */
  static copy(headers: Headers): HeaderList {
    if (headers instanceof HeaderList) return new HeaderList([...headers.pairs])
    const pairs: string[] = []
    headers.forEach((name, value) => pairs.push(name, value))
    return new HeaderList(pairs)
  }

  get(name: string): string | undefined {
    const { pairs } = this
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return pairs[i + 1]
    return undefined
  }

  getAll(name: string): readonly string[] {
    const { pairs } = this
    const values: string[] = []
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) values.push(pairs[i + 1] as string)
    return values
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  set(name: string, value: string): void {
    const { pairs } = this
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i] !== name) continue
      pairs[i + 1] = value
      this.#removeFrom(i + 2, name)
      return
    }
    pairs.push(name, value)
  }

  append(name: string, value: string): void {
    this.pairs.push(name, value)
  }

  remove(name: string): void {
    this.#removeFrom(0, name)
  }

  forEach(visit: (name: string, value: string) => void): void {
    const { pairs } = this
    for (let i = 0; i < pairs.length; i += 2) visit(pairs[i] as string, pairs[i + 1] as string)
  }

  get sizeBytes(): number {
    let size = 0
    for (const text of this.pairs) size += text.length + 2
    return size
  }

  #removeFrom(start: number, name: string): void {
    const { pairs } = this
    let to = start
    for (let i = start; i < pairs.length; i += 2) {
      if (pairs[i] === name) continue
      if (to !== i) {
        pairs[to] = pairs[i] as string
        pairs[to + 1] = pairs[i + 1] as string
      }
      to += 2
    }
    pairs.length = Math.max(to, start)
  }
}
