import { EVENT_ID, type Event, getScalarValue, SCALAR_STYLE, type ScalarEvent } from 'js-yaml'
import { getOwn, setOwn } from '../../base/json.ts'
import { cloneJson } from '../meta/clone.ts'
import { findExcessiveAlias } from './alias-budget.ts'
import { ConstructedDocument, LineIndex, offsetOf, type YamlDocument } from './document.ts'
import { resolvePlain, type Scalar } from './scalar.ts'
import { YamlError } from './yaml-error.ts'

/** Builds the documents that `events` describe. @throws {YamlError} */
export function constructDocuments(
  source: string,
  events: readonly Event[],
  options: { readonly maxDepth: number; readonly fileName: string | undefined },
): YamlDocument[] {
  return new Constructor(source, events, options).documents()
}

interface Anchor {
  readonly value: unknown
  /** Levels of nesting in the value. */
  readonly height: number
}

const MERGE = Symbol('merge')
const TAG_PREFIX = 'tag:yaml.org,2002:'

class Constructor {
  readonly #source: string
  readonly #events: readonly Event[]
  readonly #options: { readonly maxDepth: number; readonly fileName: string | undefined }
  readonly #lines: LineIndex
  /** Where objects and lists begin, as index into the events. */
  #starts = new Map<object, number>()
  #anchors = new Map<string, Anchor>()
  #next = 0
  #depth = 0
  /** The deepest level seen since it was last set. */
  #deepest = 0

  constructor(source: string, events: readonly Event[], options: { readonly maxDepth: number; readonly fileName: string | undefined }) {
    this.#source = source
    this.#events = events
    this.#options = options
    this.#lines = new LineIndex(source)
  }

  documents(): YamlDocument[] {
    const excessive = findExcessiveAlias(this.#source, this.#events)
    if (excessive !== undefined) throw this.#error('document contains excessive aliasing', excessive)
    const documents: YamlDocument[] = []
    while (this.#next < this.#events.length) {
      this.#next++
      this.#anchors = new Map()
      this.#starts = new Map()
      const offset = offsetOf(this.#peek())
      const value = this.#node()
      this.#next++
      if (value === null) continue
      documents.push(
        new ConstructedDocument(value, { source: this.#source, events: this.#events, lines: this.#lines, starts: this.#starts, offset }),
      )
    }
    return documents
  }

  #peek(): Event {
    return this.#events[this.#next] as Event
  }

  #node(): unknown {
    const event = this.#peek()
    const index = this.#next++
    if (event.type === EVENT_ID.ALIAS) return this.#alias(event.anchorStart, event.anchorEnd)
    if (event.type === EVENT_ID.POP || event.type === EVENT_ID.DOCUMENT) throw this.#error('unexpected end of a node', offsetOf(event))
    const outer = this.#deepest
    this.#deepest = this.#depth
    let value: unknown
    if (event.type === EVENT_ID.SCALAR) value = this.#scalar(event)
    else {
      this.#deepest = ++this.#depth
      value = event.type === EVENT_ID.SEQUENCE ? this.#sequence() : this.#mapping()
      this.#depth--
      this.#starts.set(value as object, index)
    }
    if (event.anchorStart >= 0) {
      const name = this.#source.slice(event.anchorStart, event.anchorEnd)
      this.#anchors.set(name, { value, height: this.#deepest - this.#depth })
    }
    this.#deepest = Math.max(outer, this.#deepest)
    return value
  }

  #alias(start: number, end: number): unknown {
    const name = this.#source.slice(start, end)
    const anchor = this.#anchors.get(name)
    // an anchor is known once its value is complete, so a value cannot contain itself
    if (anchor === undefined) throw this.#error(`unknown anchor '${name}' referenced`, start)
    this.#deepest = Math.max(this.#deepest, this.#depth + anchor.height)
    if (this.#deepest > this.#options.maxDepth) throw this.#error(`exceeded max depth ${this.#options.maxDepth}`, start)
    // copied: whoever changes one place must not change the other
    return cloneJson(anchor.value)
  }

  #sequence(): unknown[] {
    const items: unknown[] = []
    while (this.#peek().type !== EVENT_ID.POP) items.push(this.#node())
    this.#next++
    return items
  }

  #mapping(): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    const merges: { readonly value: unknown; readonly offset: number }[] = []
    while (this.#peek().type !== EVENT_ID.POP) {
      const offset = offsetOf(this.#peek())
      const key = this.#key(offset)
      const value = this.#node()
      if (key === MERGE) merges.push({ value, offset })
      else if (Object.hasOwn(object, key)) throw this.#error(`key ${JSON.stringify(key)} already set in map`, offset)
      else setOwn(object, key, value)
    }
    this.#next++
    for (const { value, offset } of merges) this.#merge(object, value, offset)
    return object
  }

  #key(offset: number): string | typeof MERGE {
    const event = this.#peek()
    if (
      event.type === EVENT_ID.SCALAR &&
      event.style === SCALAR_STYLE.PLAIN &&
      event.tagStart < 0 &&
      getScalarValue(this.#source, event) === '<<'
    ) {
      this.#next++
      return MERGE
    }
    const key = this.#node() as Scalar | object
    if (key === null || typeof key === 'object') throw this.#error('a key must be a string, a number or a boolean', offset)
    return String(key)
  }

  /** Takes over the keys of a mapping, or of each of a list of mappings, that are not there yet. */
  #merge(object: Record<string, unknown>, value: unknown, offset: number): void {
    for (const source of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof source !== 'object' || source === null || Array.isArray(source)) {
        throw this.#error('map merge requires map or sequence of maps as the value', offset)
      }
      for (const key of Object.keys(source)) {
        if (!Object.hasOwn(object, key)) setOwn(object, key, getOwn(source as Record<string, unknown>, key))
      }
    }
  }

  #scalar(event: ScalarEvent): Scalar {
    const text = event.valueStart < 0 ? '' : getScalarValue(this.#source, event)
    const plain = event.style === SCALAR_STYLE.PLAIN
    if (event.tagStart >= 0) return this.#tagged(text, event)
    const value = plain ? resolvePlain(text) : text
    if (Number.isNaN(value)) throw this.#error(`the number ${text} has no JSON form`, event.valueStart)
    return value
  }

  #tagged(text: string, event: ScalarEvent): Scalar {
    const written = this.#source.slice(event.tagStart, event.tagEnd)
    const tag = written.startsWith('!!')
      ? written.slice(2)
      : written.startsWith(`!<${TAG_PREFIX}`)
        ? written.slice(2 + TAG_PREFIX.length, -1)
        : 'str'
    const value = resolvePlain(text)
    const type =
      value === null
        ? 'null'
        : typeof value === 'boolean'
          ? 'bool'
          : Number.isInteger(value) || typeof value === 'bigint'
            ? 'int'
            : typeof value === 'number'
              ? 'float'
              : 'str'
    if (tag === 'str' || tag === 'timestamp') return text
    if (tag === 'binary') return Buffer.from(text, 'base64').toString()
    if (tag === type && !Number.isNaN(value)) return value
    if (tag === 'float' && type === 'int') return Number(value)
    throw this.#error(`cannot decode !!${type} \`${text}\` as a !!${tag}`, event.tagStart)
  }

  #error(why: string, offset: number): YamlError {
    return new YamlError({ why, ...this.#lines.positionOf(Math.max(offset, 0)), fileName: this.#options.fileName })
  }
}
