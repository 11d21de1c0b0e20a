import { EVENT_ID, type Event, getScalarValue } from 'js-yaml'

/** A place in a text; both count from 1, columns in characters. */
export interface YamlPosition {
  readonly line: number
  readonly column: number
}

export interface YamlDocument {
  readonly value: unknown
  /** Line on which the content begins, from 1. */
  readonly line: number
  /**
   * Where the field at `path` (`spec.containers[0].image`) is written; as deep as the path can be followed. The path is
   * taken from `root`, an object inside `value`; default `value` itself.
   */
  positionOf(path: string, root?: unknown): YamlPosition
}

/** What a document needs to find its places again. */
export interface DocumentSource {
  readonly source: string
  readonly events: readonly Event[]
  readonly lines: LineIndex
  /** Event with which each object or list begins; copies made by aliases are not in it. */
  readonly starts: ReadonlyMap<object, number>
  readonly offset: number
}

export class ConstructedDocument implements YamlDocument {
  readonly value: unknown
  readonly #from: DocumentSource

  constructor(value: unknown, from: DocumentSource) {
    this.value = value
    this.#from = from
  }

  get line(): number {
    return this.#from.lines.positionOf(this.#from.offset).line
  }

  positionOf(path: string, root: unknown = this.value): YamlPosition {
    const { events, lines, starts } = this.#from
    const first = starts.get(root as object)
    let offset = first === undefined ? this.#from.offset : offsetOf(events[first] as Event)
    let container = root
    for (const [step] of path.matchAll(/[^.[\]]+/g)) {
      const start = typeof container === 'object' && container !== null ? starts.get(container) : undefined
      const found = start === undefined ? undefined : this.#findChild(start, step)
      if (found === undefined) break
      offset = found
      container = Object.hasOwn(container as object, step) ? (container as Record<string, unknown>)[step] : undefined
    }
    return lines.positionOf(offset)
  }

  /** Offset of the key, or of the element, that `step` names in the container that begins with event `start`. */
  #findChild(start: number, step: string): number | undefined {
    const { events, source } = this.#from
    const isMapping = events[start]?.type === EVENT_ID.MAPPING
    let index = 0
    for (let at = start + 1; events[at]?.type !== EVENT_ID.POP && at < events.length; at = endOfNode(events, at)) {
      const event = events[at] as Event
      if (isMapping) {
        if (event.type === EVENT_ID.SCALAR && getScalarValue(source, event) === step) return offsetOf(event)
        // the key; the loop skips its value
        at = endOfNode(events, at)
      } else if (String(index++) === step) return offsetOf(event)
    }
    return undefined
  }
}

/** Index behind the node that begins at `at`. */
function endOfNode(events: readonly Event[], at: number): number {
  let depth = 0
  for (let i = at; i < events.length; i++) {
    const { type } = events[i] as Event
    if (type === EVENT_ID.SEQUENCE || type === EVENT_ID.MAPPING) depth++
    else if (type === EVENT_ID.POP) depth--
    if (depth === 0) return i + 1
  }
  return events.length
}

/** Where a node begins in the source. */
export function offsetOf(event: Event): number {
  switch (event.type) {
    case EVENT_ID.SCALAR: {
      const starts = [event.anchorStart, event.tagStart, event.valueStart].filter((start) => start >= 0)
      return starts.length === 0 ? 0 : Math.min(...starts)
    }
    case EVENT_ID.ALIAS:
      return event.anchorStart
    case EVENT_ID.SEQUENCE:
    case EVENT_ID.MAPPING:
      return event.start
    default:
      return 0
  }
}

/** Finds lines by binary search; built on first use. */
export class LineIndex {
  readonly #source: string
  #starts: number[] | undefined

  constructor(source: string) {
    this.#source = source
  }

  positionOf(offset: number): YamlPosition {
    const starts = (this.#starts ??= this.#build())
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] as number) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (starts[low] as number) + 1 }
  }

  #build(): number[] {
    const starts = [0]
    for (let at = this.#source.indexOf('\n'); at >= 0; at = this.#source.indexOf('\n', at + 1)) starts.push(at + 1)
    return starts
  }
}
