import type { KubeObject, WatchEventType } from '../../../api/meta/object.ts'
import type { StoreEvent } from '../../store/contract.ts'
import type { ServerWatchEvent } from '../contract.ts'
import { decodeObject } from './object-codec.ts'
import { splitKey, type Resource } from './resource.ts'
import type { Selection } from './selection.ts'
import { StoreError } from '../../store/contract.ts'

/** An object in one state, encoded; parsed only if asked for. */
export interface ObjectState {
  readonly resource: Resource
  readonly value: Uint8Array
  readonly revision: bigint
  /** Parsed anew at each call. */
  readonly object: () => KubeObject
}

/** `id` of the form that shows whole objects. */
export const WHOLE_OBJECTS = 'object'

/** How a watch wants its events written: whole objects, metadata alone, or table rows. */
export interface EventForm {
  /** Watches with the same id get the same bytes. */
  readonly id: string
  readonly encode: (type: WatchEventType, state: ObjectState) => Uint8Array
}

/**
 * One change of one object, shared by all who watch. Parsed at most once per state and encoded at most once per form,
 * and not before somebody needs it.
 */
export class Change {
  readonly resource: Resource
  readonly revision: bigint
  readonly namespace: string
  readonly name: string
  readonly #event: StoreEvent
  #object: KubeObject | undefined
  #before: KubeObject | undefined
  #encoded: Map<string, ServerWatchEvent> | undefined

  constructor(resource: Resource, event: StoreEvent) {
    this.resource = resource
    this.revision = event.kv.modRevision
    this.#event = event
    const { namespace, name } = splitKey(resource, event.key)
    this.namespace = namespace
    this.name = name
  }

  get deleted(): boolean {
    return this.#event.type === 'delete'
  }

  get created(): boolean {
    return !this.deleted && this.#event.kv.createRevision === this.#event.kv.modRevision
  }

  get sizeBytes(): number {
    return this.#event.kv.value.length
  }

  /** The new state; after a deletion the last one. Shared: never change it. */
  object(): KubeObject {
    return (this.#object ??= decodeObject(this.resource, this.#event.kv.value, this.revision))
  }

  /** The state before. Undefined for a created object. @throws {StoreError} `Compacted` when it is no longer known */
  before(): KubeObject | undefined {
    if (this.created) return undefined
    if (this.deleted) return this.object()
    return (this.#before ??= decodeObject(this.resource, this.#previous(), this.revision))
  }

  /** The event as `form` writes it; `was` asks for the state before (an object that left a selection). */
  event(type: WatchEventType, form: EventForm, was: boolean): ServerWatchEvent {
    const id = `${type} ${was ? 1 : 0} ${form.id}`
    let found = this.#encoded?.get(id)
    if (!found) {
      const value = was ? this.#previous() : this.#event.kv.value
      const { resource, revision } = this
      found = lazyEvent(type, form, { resource, value, revision, object: () => decodeObject(resource, value, revision) })
      this.#encoded ??= new Map()
      this.#encoded.set(id, found)
    }
    return found
  }

  /** Forgets what was parsed: nobody looks at this change again but late watchers. */
  release(): void {
    this.#object = undefined
    this.#before = undefined
  }

  #previous(): Uint8Array {
    const { previous } = this.#event
    if (!previous) throw new StoreError('Compacted', `the state of ${this.#event.key} before revision ${this.revision} has been compacted`)
    return previous.value
  }
}

/** An event whose line and object are made when first asked for. */
export function lazyEvent(type: WatchEventType, form: EventForm, state: ObjectState): ServerWatchEvent {
  let line: Uint8Array | undefined
  let object: KubeObject | undefined
  const event = {
    type,
    ...(form.id === WHOLE_OBJECTS ? { fresh: state.object } : {}),
    get line(): Uint8Array {
      return (line ??= form.encode(type, state))
    },
    get object(): KubeObject {
      return (object ??= (JSON.parse(Buffer.from(event.line).toString()) as { object: KubeObject }).object)
    },
  }
  return event
}

/** What a change is to a watch with this selection; undefined when it does not concern it. `was`: shown as it was before. */
export function classify(selection: Selection, change: Change): { readonly type: WatchEventType; readonly was: boolean } | undefined {
  if (selection.namespace !== '' && change.namespace !== selection.namespace) return undefined
  if (selection.name !== undefined && change.name !== selection.name) return undefined
  const { matches } = selection
  if (!matches) return change.deleted ? DELETED : change.created ? ADDED : MODIFIED
  if (change.deleted) return matches(change.object()) ? DELETED : undefined
  const before = change.before()
  const was = before !== undefined && matches(before)
  if (matches(change.object())) return was ? MODIFIED : ADDED
  return was ? LEFT : undefined
}

const ADDED = { type: 'ADDED', was: false } as const
const MODIFIED = { type: 'MODIFIED', was: false } as const
const DELETED = { type: 'DELETED', was: false } as const
const LEFT = { type: 'DELETED', was: true } as const
