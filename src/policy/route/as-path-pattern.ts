import { readU32, SEGMENT } from '../../protocols/bgp/attribute-block.ts'

/**
 * Regular expressions over AS paths, matched in time linear in the path whatever the pattern: a lazily built automaton, no backtracking. The path is
 * the text of the field: numbers with single blanks, sets as `{1,2}`. Known are `. * + ? | ( ) [ ] ^ $ \` and `_`, which matches a blank, comma or brace, and
 * the beginning and end.
 */
export interface AsPathPattern {
  /** Whether the segments in normal form (4-byte numbers) at this place match anywhere. */
  matches(bytes: Uint8Array, offset: number, length: number): boolean
}

/** At most this many characters; every one costs a bounded number of states. */
const MAX_PATTERN = 1000
/** States built before the automaton starts anew: bounds memory. */
const MAX_STATES = 4096

type Node =
  | { readonly kind: 'char'; readonly set: number; next: number }
  | { readonly kind: 'split'; a: number; b: number }
  | { readonly kind: 'start' | 'end' | 'boundary'; next: number }
  | { readonly kind: 'accept' }

/** Symbols of path texts; a set of them is a bit mask. */
const SYMBOLS = '0123456789 {},()[]'
const DELIMITERS = maskOf(' {},()[]')
const ANY = (1 << SYMBOLS.length) - 1
const BLANK = 10
const OPEN_SET = 11
const CLOSE_SET = 12
const COMMA = 13

function maskOf(text: string): number {
  return Array.from(text).reduce((mask, char) => mask | (1 << SYMBOLS.indexOf(char)), 0)
}

/** @throws {SyntaxError} for a pattern that cannot be read */
export function compileAsPathPattern(pattern: string): AsPathPattern {
  if (pattern.length > MAX_PATTERN) throw new SyntaxError(`the pattern has more than ${MAX_PATTERN} characters`)
  const nodes = new PatternParser(pattern).parse()
  return new Automaton(nodes)
}

/** A fragment under construction: where it begins, and the holes to be filled with what follows. */
interface Fragment {
  readonly first: number
  readonly holes: readonly ((to: number) => void)[]
}

class PatternParser {
  readonly #nodes: Node[] = [{ kind: 'accept' }]
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Node 0 accepts; the last one is the first to enter. */
  parse(): readonly Node[] {
    const whole = this.#alternatives()
    if (this.#at < this.#text.length) throw new SyntaxError(`unexpected "${this.#text[this.#at]}" at ${this.#at + 1}`)
    for (const fill of whole.holes) fill(0)
    this.#add({ kind: 'split', a: whole.first, b: whole.first })
    return this.#nodes
  }

  #add(node: Node): number {
    return this.#nodes.push(node) - 1
  }

  #alternatives(): Fragment {
    let left = this.#sequence()
    while (this.#text[this.#at] === '|') {
      this.#at++
      const right = this.#sequence()
      left = { first: this.#add({ kind: 'split', a: left.first, b: right.first }), holes: [...left.holes, ...right.holes] }
    }
    return left
  }

  #sequence(): Fragment {
    let whole: Fragment | undefined
    while (this.#at < this.#text.length && !'|)'.includes(this.#text[this.#at] as string)) {
      const part = this.#repeated()
      if (whole) for (const fill of whole.holes) fill(part.first)
      whole = { first: whole?.first ?? part.first, holes: part.holes }
    }
    if (whole) return whole
    const empty = { kind: 'split' as const, a: 0, b: 0 }
    return { first: this.#add(empty), holes: [(to) => (empty.a = empty.b = to)] }
  }

  #repeated(): Fragment {
    let part = this.#atom()
    for (let sign = this.#text[this.#at]; sign === '*' || sign === '+' || sign === '?'; sign = this.#text[++this.#at]) {
      const split = { kind: 'split' as const, a: part.first, b: 0 }
      const id = this.#add(split)
      if (sign !== '?') for (const fill of part.holes) fill(id)
      const out = (to: number): void => void (split.b = to)
      part = { first: sign === '+' ? part.first : id, holes: sign === '?' ? [...part.holes, out] : [out] }
    }
    return part
  }

  #atom(): Fragment {
    const char = this.#text[this.#at++] as string
    if (char === '(') {
      if (++this.#depth > 100) throw new SyntaxError('parentheses are nested too deep')
      const inner = this.#alternatives()
      if (this.#text[this.#at++] !== ')') throw new SyntaxError('a parenthesis is not closed')
      this.#depth--
      return inner
    }
    if (char === '^') return this.#single({ kind: 'start', next: 0 })
    if (char === '$') return this.#single({ kind: 'end', next: 0 })
    if (char === '_') return this.#single({ kind: 'boundary', next: 0 })
    if (char === '.') return this.#single({ kind: 'char', set: ANY, next: 0 })
    if (char === '[') return this.#single({ kind: 'char', set: this.#class(), next: 0 })
    if (char === '*' || char === '+' || char === '?') throw new SyntaxError(`"${char}" has nothing to repeat`)
    return this.#single({ kind: 'char', set: this.#symbol(char === '\\' ? this.#text[this.#at++] : char), next: 0 })
  }

  #single(node: Extract<Node, { next: number }>): Fragment {
    return { first: this.#add(node), holes: [(to) => (node.next = to)] }
  }

  #symbol(char: string | undefined): number {
    const at = char === undefined ? -1 : SYMBOLS.indexOf(char)
    if (at < 0) throw new SyntaxError(char === undefined ? 'the pattern ends too early' : `"${char}" never occurs in an AS path`)
    return 1 << at
  }

  #class(): number {
    const negated = this.#text[this.#at] === '^'
    if (negated) this.#at++
    let set = 0
    while (this.#text[this.#at] !== ']') {
      const from = this.#text[this.#at++]
      const low = this.#symbol(from)
      if (this.#text[this.#at] !== '-') set |= low
      else {
        const high = this.#symbol(this.#text[this.#at + 1])
        this.#at += 2
        if (high < low || high > 1 << 9) throw new SyntaxError('only digits make a range')
        for (let bit = low; bit <= high; bit <<= 1) set |= bit
      }
    }
    this.#at++
    return negated ? ANY & ~set : set
  }
}

class Automaton implements AsPathPattern {
  readonly #nodes: readonly Node[]
  readonly #ids = new Map<string, number>()
  #sets: number[][] = []
  /** Whether a path that ends in a state matches, as far as asked. */
  #accepts: boolean[] = []
  /** `state * symbols + symbol`, -1 where not built yet. */
  #edges: Int32Array = new Int32Array(0)
  #state = 0

  constructor(nodes: readonly Node[]) {
    this.#nodes = nodes
    this.#clear()
  }

  matches(bytes: Uint8Array, offset: number, length: number): boolean {
    this.#state = 0
    const end = offset + length
    for (let at = offset; at < end;) {
      const set = bytes[at] === SEGMENT.set || bytes[at] === 4
      const next = at + 2 + 4 * (bytes[at + 1] as number)
      if (at > offset) this.#step(BLANK)
      if (set) this.#step(OPEN_SET)
      for (let one = at + 2; one < next; one += 4) {
        if (one > at + 2) this.#step(set ? COMMA : BLANK)
        this.#number(readU32(bytes, one))
      }
      if (set) this.#step(CLOSE_SET)
      at = next
    }
    return this.#acceptsAtEnd()
  }

  #acceptsAtEnd(): boolean {
    const known = this.#accepts[this.#state]
    if (known !== undefined) return known
    // the initial state also stands at the beginning, for `^$`
    const found = this.#closure(this.#sets[this.#state] as number[], this.#state === 0, true).includes(0)
    this.#accepts[this.#state] = found
    return found
  }

  #number(value: number): void {
    if (value >= 10) this.#number(Math.floor(value / 10))
    this.#step(value % 10)
  }

  #step(symbol: number): void {
    const known = this.#edges[this.#state * SYMBOLS.length + symbol] as number
    this.#state = known >= 0 ? known : this.#build(symbol)
  }

  #build(symbol: number): number {
    const from = this.#state
    const moved: number[] = []
    for (const id of this.#sets[from] as number[]) {
      const node = this.#nodes[id] as Node
      if (node.kind === 'accept') moved.push(id)
      else if (node.kind === 'char' && node.set & (1 << symbol)) moved.push(node.next)
      else if (node.kind === 'boundary' && DELIMITERS & (1 << symbol)) moved.push(node.next)
    }
    // found anywhere: a match may begin after every symbol
    const set = this.#closure([...moved, this.#nodes.length - 1], false, false)
    if (this.#sets.length >= MAX_STATES) {
      this.#clear()
      return this.#intern(set)
    }
    const to = this.#intern(set)
    this.#edges[from * SYMBOLS.length + symbol] = to
    return to
  }

  #clear(): void {
    this.#ids.clear()
    this.#sets = []
    this.#accepts = []
    this.#edges = new Int32Array(SYMBOLS.length * 16).fill(-1)
    this.#intern(this.#closure([this.#nodes.length - 1], true, false), 'initial')
  }

  #intern(set: number[], key: string = set.join()): number {
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const id = this.#sets.push(set) - 1
    this.#ids.set(key, id)
    if ((id + 1) * SYMBOLS.length > this.#edges.length) {
      const grown = new Int32Array(2 * this.#edges.length).fill(-1)
      grown.set(this.#edges)
      this.#edges = grown
    }
    return id
  }

  /** All nodes reached without consuming a symbol, ascending. Assertions stay in the set: they may hold later. */
  #closure(from: readonly number[], atStart: boolean, atEnd: boolean): number[] {
    const seen = new Set<number>()
    const open = [...from]
    while (open.length > 0) {
      const id = open.pop() as number
      if (seen.has(id)) continue
      seen.add(id)
      const node = this.#nodes[id] as Node
      if (node.kind === 'split') open.push(node.a, node.b)
      else if ((node.kind === 'start' && atStart) || (node.kind === 'end' && atEnd) || (node.kind === 'boundary' && (atStart || atEnd))) {
        open.push(node.next)
      }
    }
    return [...seen].sort((a, b) => a - b)
  }
}
