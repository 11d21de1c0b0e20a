import { GrpcJsonError } from './error.ts'

/** Part of a path that a field is taken from: segments from `start` to `end`. */
interface Variable {
  readonly field: string
  readonly start: number
  /** Exclusive; -1: to the end of the path. */
  readonly end: number
}

export interface PathTemplate {
  /** Texts, `*` for one segment, `**` for the rest. */
  readonly segments: readonly string[]
  readonly variables: readonly Variable[]
  /** What stands behind the last colon; empty: nothing. */
  readonly verb: string
}

/** Reads a template such as `/v1/{name=shelves/*}/books/{book.id}:move`. Source: google/api/http.proto, path template syntax. @throws {GrpcJsonError} */
export function parsePathTemplate(text: string): PathTemplate {
  const bad = (reason: string): GrpcJsonError => new GrpcJsonError(`the path template ${JSON.stringify(text)} ${reason}`)
  if (!text.startsWith('/')) throw bad('does not begin with /')
  const verb = /:([^/:{}*]+)$/.exec(text)?.[1] ?? ''
  const path = verb === '' ? text.slice(1) : text.slice(1, -verb.length - 1)
  if (path === '') return { segments: [''], variables: [], verb }
  const segments: string[] = []
  const variables: Variable[] = []
  // a variable, or one plain segment
  const part = /\{([^{}=]+)(?:=([^{}]*))?\}|([^/{}]+)/y
  for (let at = 0; at <= path.length; at += 1) {
    part.lastIndex = at
    const found = part.exec(path)
    if (!found) throw bad(`cannot be read from ${JSON.stringify(path.slice(at))} on`)
    const [whole, field, inner, plain] = found
    const start = segments.length
    segments.push(...(plain === undefined ? (inner ?? '*').split('/') : [plain]))
    if (field !== undefined) {
      if (!/^\w+(\.\w+)*$/.test(field)) throw bad(`names ${JSON.stringify(field)}, which is no path of a field`)
      variables.push({ field, start, end: segments.at(-1) === '**' ? -1 : segments.length })
    }
    at += whole.length
    if (at < path.length && path[at] !== '/') throw bad(`has something between a segment and the next /`)
  }
  for (const [index, segment] of segments.entries()) {
    if (segment === '**' ? index < segments.length - 1 : segment === '' || (segment !== '*' && segment.includes('*')))
      throw bad(segment === '**' ? 'goes on behind **' : `has a segment ${JSON.stringify(segment)} that is neither text nor *`)
  }
  return { segments, variables, verb }
}

interface Node<T> {
  readonly texts: Map<string, Node<T>>
  one?: Node<T>
  /** Ends here, by verb and method. */
  readonly ends: Map<string, { readonly template: PathTemplate; readonly value: T }>
  /** The rest, by verb and method. */
  readonly rests: Map<string, { readonly template: PathTemplate; readonly value: T }>
}

const makeNode = <T>(): Node<T> => ({ texts: new Map(), ends: new Map(), rests: new Map() })
const keyOf = (verb: string, method: string): string => `${method}:${verb}`

export interface FoundPath<T> {
  readonly value: T
  /** Path of a field, and its text. */
  readonly variables: readonly (readonly [field: string, value: string])[]
}

/** Paths and what is behind them. Text goes before `*`, and that before `**`. */
export class PathTable<T> {
  readonly #root: Node<T> = makeNode()

  /** What was added first stays. @param method `*`: any. @throws {GrpcJsonError} */
  add(method: string, text: string, value: T): void {
    const template = parsePathTemplate(text)
    let node = this.#root
    for (const segment of template.segments) {
      if (segment === '**') break
      if (segment === '*') node = node.one ??= makeNode()
      else {
        const next = node.texts.get(segment) ?? makeNode<T>()
        node.texts.set(segment, next)
        node = next
      }
    }
    const table = template.segments.at(-1) === '**' ? node.rests : node.ends
    const key = keyOf(template.verb, method)
    if (!table.has(key)) table.set(key, { template, value })
  }

  /** @param path without its query */
  find(method: string, path: string): FoundPath<T> | undefined {
    if (!path.startsWith('/')) return undefined
    const segments = path.slice(1).split('/')
    // nobody's template is longer, and looking takes time by the number of segments
    if (segments.length > MAX_SEGMENTS) return undefined
    const last = segments.at(-1) ?? ''
    const colon = last.lastIndexOf(':')
    const found =
      (colon < 0 ? undefined : this.#look(method, [...segments.slice(0, -1), last.slice(0, colon)], last.slice(colon + 1))) ??
      this.#look(method, segments, '')
    if (!found) return undefined
    const { template, value, of } = found
    const variables = template.variables.map(({ field, start, end }) => {
      const own = of.slice(start, end < 0 ? of.length : end)
      const isOne = end >= 0 && end - start === 1
      return [field, isOne ? decodeAll(own[0] ?? '') : own.map(decodeButSlash).join('/')] as const
    })
    return { value, variables }
  }

  #look(
    method: string,
    of: readonly string[],
    verb: string,
  ): { readonly template: PathTemplate; readonly value: T; readonly of: readonly string[] } | undefined {
    const keys = [keyOf(verb, method), keyOf(verb, '*')]
    const pick = (table: Node<T>['ends']) => table.get(keys[0] as string) ?? table.get(keys[1] as string)
    // a tree: no node is looked at twice
    const walk = (node: Node<T>, depth: number): ReturnType<typeof pick> => {
      if (depth === of.length) return pick(node.ends) ?? pick(node.rests)
      const segment = of[depth] as string
      const text = node.texts.get(decodeAll(segment))
      return (text && walk(text, depth + 1)) ?? (node.one && segment !== '' ? walk(node.one, depth + 1) : undefined) ?? pick(node.rests)
    }
    const end = walk(this.#root, 0)
    return end && { ...end, of }
  }
}

const MAX_SEGMENTS = 256

function decodeAll(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** Where a field has several segments, an encoded slash stays what it is. */
const decodeButSlash = (segment: string): string =>
  segment
    .split(/(%2f)/i)
    .map((part, i) => (i % 2 === 1 ? part : decodeAll(part)))
    .join('')
