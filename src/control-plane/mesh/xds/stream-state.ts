import type { EncodedResource, ResourceChange, ResourceSource } from './contract.ts'
import { OverlayMap, OverlaySet } from './overlay.ts'
import { isFullType, placeOf, XDS_TYPE } from './type-order.ts'

/** What a client holds: a resource of ours, or a version that it has brought along. */
export type Held = EncodedResource | { readonly version: string }

/** Resources of one response that is not confirmed yet. */
export interface Outstanding {
  readonly nonce: string
  readonly resources: readonly EncodedResource[]
  readonly removed: readonly string[]
  /** What the client held before, by name. */
  readonly before: ReadonlyMap<string, Held>
  /** Monotonic milliseconds. */
  readonly sentAt: number
}

export interface Refusal {
  readonly version: string
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly atMs: number
}

/** One type on one stream. */
export interface TypeState {
  readonly typeUrl: string
  wildcard: boolean
  everNamed: boolean
  readonly names: OverlaySet
  /** Confirmed or under way. */
  readonly held: OverlayMap<Held>
  /** Told that they do not exist. */
  readonly missing: Set<string>
  /** To be looked at; `all`: everything. */
  dirty: Set<string> | 'all'
  /** Sent even if unchanged. */
  readonly force: Set<string>
  /** Gone, but maybe still referred to by what the client holds. */
  readonly leaving: Set<string>
  /** An answer is due, be it empty. */
  answer: boolean
  outstanding: Outstanding | undefined
  lastNonce: string
  readonly refused: Map<string, Refusal>
  /** Of what was confirmed last. */
  acked: string
  ackedAtMs: number
}

/** What the owner of a stream is told. */
export interface StreamObserver {
  sent?(state: TypeState): void
  /** @param durationMs since it was sent */
  acked?(state: TypeState, durationMs: number): void
  refused?(state: TypeState, resources: readonly EncodedResource[], reason: string): void
}

export interface StreamLimits {
  /** Types on one stream. */
  readonly types: number
  /** Names subscribed on one stream, of all types together. */
  readonly names: number
  /** Characters of one name. */
  readonly nameLength: number
  /** Of a delta response; one larger resource goes alone. */
  readonly responseBytes: number
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = { types: 32, names: 20_000, nameLength: 1_024, responseBytes: 512 * 1024 }

/** A request that breaks the protocol or exceeds a limit: the stream ends with the code. */
export class StreamProtocolError extends Error {
  override readonly name = 'StreamProtocolError'
  readonly code: 'InvalidArgument' | 'ResourceExhausted'
  constructor(code: StreamProtocolError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface StreamOptions {
  readonly proxy: string
  readonly source: ResourceSource
  readonly observer?: StreamObserver
  readonly limits?: Partial<StreamLimits>
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** A message that is to go out. */
export interface StreamResponse {
  readonly typeUrl: string
  readonly nonce: string
  /** Encoded. */
  readonly bytes: Buffer
}

/** What streams of both protocols have in common: types, refusals, the order of delivery. */
export class StreamState {
  readonly proxy: string
  readonly types: Map<string, TypeState> = new Map()
  /** Milliseconds since 1970 of the last request. */
  lastContactMs: number
  protected readonly source: ResourceSource
  protected readonly limits: StreamLimits
  protected readonly options: StreamOptions
  /** Endpoints that a client is about to ask for, with the new cluster that makes it do so: until it has them the cluster is not there for its routes. */
  readonly #awaited: Map<string, string> = new Map()
  #nonce = 0
  #ordered: TypeState[] = []

  constructor(options: StreamOptions) {
    this.options = options
    this.proxy = options.proxy
    this.source = options.source
    this.limits = { ...DEFAULT_STREAM_LIMITS, ...options.limits }
    this.lastContactMs = options.now()
  }

  /** Notes what may have changed. Returns whether it concerns this stream. */
  changed(change: ResourceChange): boolean {
    if (change.proxies && !change.proxies.has(this.proxy)) return false
    if (!change.names) {
      for (const state of this.types.values()) state.dirty = 'all'
      return this.types.size > 0
    }
    let concerned = false
    for (const [typeUrl, names] of change.names) {
      const state = this.types.get(typeUrl)
      if (!state) continue
      for (const name of names) {
        if (!interested(state, name) && !state.held.has(name)) continue
        markDirty(state, name)
        concerned = true
      }
    }
    return concerned
  }

  /** What the proxy is to have. */
  current(typeUrl: string, name: string): EncodedResource | undefined {
    return this.source.resource(this.proxy, typeUrl, name)
  }

  protected ordered(): readonly TypeState[] {
    return this.#ordered
  }

  protected stateOf(typeUrl: string): { readonly state: TypeState; readonly first: boolean } {
    const found = this.types.get(typeUrl)
    if (found) return { state: found, first: false }
    if (typeUrl === '')
      throw new StreamProtocolError('InvalidArgument', 'type_url is missing: aggregated streams need one in every request')
    if (this.types.size >= this.limits.types)
      throw new StreamProtocolError('ResourceExhausted', `more than ${this.limits.types} types on one stream`)
    const state = newState(typeUrl)
    this.types.set(typeUrl, state)
    this.#ordered = [...this.types.values()].toSorted((a, b) => placeOf(a.typeUrl).rank - placeOf(b.typeUrl).rank)
    return { state, first: true }
  }

  protected checkNames(names: Iterable<string>): void {
    for (const name of names) {
      if (name.length > this.limits.nameLength)
        throw new StreamProtocolError(
          'InvalidArgument',
          `a resource name has ${name.length} characters, at most ${this.limits.nameLength} are taken`,
        )
    }
    let total = 0
    for (const { names: subscribed } of this.types.values()) total += subscribed.size
    if (total > this.limits.names)
      throw new StreamProtocolError('ResourceExhausted', `more than ${this.limits.names} names subscribed on one stream: use a wildcard`)
  }

  protected nextNonce(): string {
    return (++this.#nonce).toString(36)
  }

  /** Takes up the answer to the outstanding response, if it is one. */
  protected confirm(state: TypeState, nonce: string, error: { readonly message: string } | undefined): void {
    const { outstanding } = state
    if (!outstanding || outstanding.nonce !== nonce) return
    state.outstanding = undefined
    if (error) return this.#refuse(state, outstanding, error.message)
    state.acked = nonce
    state.ackedAtMs = this.options.now()
    for (const { name, version } of outstanding.resources) {
      // the last good in place of what was refused: the refusal stands
      const refusal = state.refused.get(name)
      if (refusal && (refusal.version === version || refusal.version !== this.current(state.typeUrl, name)?.version))
        state.refused.delete(name)
    }
    for (const name of outstanding.removed) state.refused.delete(name)
    this.settle(state)
    this.options.observer?.acked?.(state, this.options.monotonic() - outstanding.sentAt)
  }

  /** Keeps what many clients have in common once for all of them. Costs nothing where little has changed since the last time. */
  protected settle(state: TypeState): void {
    const common = this.source.common?.(this.proxy, state.typeUrl)
    state.held.settle(common?.resources)
    state.names.settle(common?.names)
  }

  #refuse(state: TypeState, outstanding: Outstanding, reason: string): void {
    const fresh = outstanding.resources.filter(({ name, version }) => outstanding.before.get(name)?.version !== version)
    const named = fresh.filter(({ name }) => mentions(reason, name))
    const suspects = fresh.length > 0 ? fresh : outstanding.resources
    const blamed = new Set(named.length > 0 ? named : suspects)
    for (const resource of outstanding.resources) {
      const { name, version } = resource
      const before = outstanding.before.get(name)
      if (before && interested(state, name)) state.held.set(name, before)
      else state.held.delete(name)
      if (!interested(state, name)) continue
      if (blamed.has(resource)) state.refused.set(name, { version, reason, atMs: this.options.now() })
      else state.force.add(name)
      markDirty(state, name)
    }
    this.options.observer?.refused?.(state, [...blamed], reason)
  }

  /** Whether everything that this type may refer to is on its way. */
  protected mayAdd(state: TypeState): boolean {
    if (!placeOf(state.typeUrl).refers) return true
    return (
      !this.#awaitsEndpoints() &&
      this.#ordered.every((other) => placeOf(other.typeUrl).refers || placeOf(other.typeUrl).rank > 4 || !isDirty(other))
    )
  }

  #awaitsEndpoints(): boolean {
    const [clusters, endpoints] = [this.types.get(XDS_TYPE.cluster), this.types.get(XDS_TYPE.endpoints)]
    for (const [name, cluster] of this.#awaited) {
      const isThere = endpoints?.held.has(name) || endpoints?.missing.has(name)
      // what is gone meanwhile comes no more, and its cluster goes when routes have left it
      if (isThere || !clusters?.held.has(cluster) || !this.current(XDS_TYPE.endpoints, name)) this.#awaited.delete(name)
    }
    return this.#awaited.size > 0
  }

  /** Whether nothing that the client holds can refer to a resource of this type that is gone. */
  protected mayDelete(state: TypeState): boolean {
    return placeOf(state.typeUrl).users.every((typeUrl) => {
      const user = this.types.get(typeUrl)
      return !user || (!user.outstanding && !isDirty(user) && user.leaving.size === 0 && user.refused.size === 0)
    })
  }

  /** Marks what a client has to get again because it takes `resource` anew. */
  protected again(resource: EncodedResource): void {
    for (const { typeUrl, name } of resource.again ?? []) {
      const state = this.types.get(typeUrl)
      if (!state?.held.has(name)) continue
      state.force.add(name)
      markDirty(state, name)
    }
  }

  protected put(state: TypeState, nonce: string, resources: readonly EncodedResource[], removed: readonly string[]): void {
    const before = new Map<string, Held>()
    for (const resource of resources) {
      const held = state.held.get(resource.name)
      if (held) {
        before.set(resource.name, held)
        if (held.version !== resource.version) this.again(resource)
      } else if (state.typeUrl === XDS_TYPE.cluster) {
        // a client asks for endpoints once, whatever number of clusters has them, and the new one waits for them
        this.again(resource)
        for (const { typeUrl, name } of resource.again ?? []) if (typeUrl === XDS_TYPE.endpoints) this.#awaited.set(name, resource.name)
      }
      state.held.set(resource.name, resource)
      state.missing.delete(resource.name)
      state.leaving.delete(resource.name)
    }
    for (const name of removed) {
      state.held.delete(name)
      state.leaving.delete(name)
    }
    state.answer = false
    state.lastNonce = nonce
    state.outstanding = { nonce, resources, removed, before, sentAt: this.options.monotonic() }
    this.options.observer?.sent?.(state)
  }
}

export const interested = (state: TypeState, name: string): boolean => state.wildcard || state.names.has(name)

export const isDirty = (state: TypeState): boolean => state.dirty === 'all' || state.dirty.size > 0

export function markDirty(state: TypeState, name: string): void {
  if (state.dirty !== 'all') state.dirty.add(name)
}

/** How many resources of a type are in force at the client: confirmed, not refused. */
export function countInForce({ held, outstanding }: TypeState): number {
  if (!outstanding) return held.size
  return held.size - outstanding.resources.filter(({ name }) => held.has(name)).length + outstanding.before.size
}

/** Whether a reason names a resource, as a word of its own. */
function mentions(reason: string, name: string): boolean {
  if (name === '') return false
  for (let at = reason.indexOf(name); at >= 0; at = reason.indexOf(name, at + 1)) {
    const [before, after] = [reason[at - 1] ?? ' ', reason[at + name.length] ?? ' ']
    // a dot or colon may end a sentence, but goes on a name when more follows
    const more = /[.:]/.test(after) && /[\w]/.test(reason[at + name.length + 1] ?? ' ')
    if (!/[\w|/.-]/.test(before) && !/[\w|/-]/.test(after) && !more) return true
  }
  return false
}

function newState(typeUrl: string): TypeState {
  return {
    typeUrl,
    wildcard: false,
    everNamed: false,
    names: new OverlaySet(),
    held: new OverlayMap(),
    missing: new Set(),
    dirty: 'all',
    force: new Set(),
    leaving: new Set(),
    answer: isFullType(typeUrl),
    outstanding: undefined,
    lastNonce: '',
    refused: new Map(),
    acked: '',
    ackedAtMs: 0,
  }
}
