import { createHash } from 'node:crypto'
import { sotwResponse, type DiscoveryRequest } from '../../../protocols/discovery/index.ts'
import type { EncodedResource } from './contract.ts'
import { interested, isDirty, markDirty, StreamState, type Held, type StreamResponse, type TypeState } from './stream-state.ts'
import { isFullType, placeOf } from './type-order.ts'

/**
 * One stream of the state-of-the-world protocol, without I/O: requests in, responses out. Source: Envoy, xDS protocol.
 * Responses of listeners and clusters list everything, what is missing in them is deleted; other types are told what has changed.
 */
export class SotwStream extends StreamState {
  /** @throws {StreamProtocolError} */
  receive(request: DiscoveryRequest): void {
    this.lastContactMs = this.options.now()
    const { state, first } = this.stateOf(request.typeUrl)
    // about an older response than the last: a request that answers the last one follows
    if (!first && request.responseNonce !== state.lastNonce) return
    if (!first && request.responseNonce !== '') this.confirm(state, request.responseNonce, request.errorDetail)
    this.#subscribe(state, new Set(request.resourceNames))
    this.checkNames(request.resourceNames)
    this.settle(state)
  }

  /** What can be sent now: at most one response of each type, none of types whose last one is not confirmed. */
  next(): StreamResponse[] {
    const responses: StreamResponse[] = []
    for (const state of this.ordered()) {
      if (state.outstanding || !this.mayAdd(state)) continue
      const response = isFullType(state.typeUrl) ? this.#full(state) : this.#partial(state)
      if (response) responses.push(response)
    }
    return responses
  }

  #subscribe(state: TypeState, names: Set<string>): void {
    if (names.size > 0) state.everNamed = true
    const wildcard = names.has('*') || (names.size === 0 && !state.everNamed && isFullType(state.typeUrl))
    names.delete('*')
    if (wildcard !== state.wildcard) {
      state.wildcard = wildcard
      state.dirty = 'all'
      state.answer ||= wildcard
    }
    for (const name of names) {
      if (state.names.has(name)) continue
      state.names.add(name)
      state.refused.delete(name)
      state.force.add(name)
      state.answer ||= isFullType(state.typeUrl)
      markDirty(state, name)
    }
    for (const name of state.names) {
      if (names.has(name)) continue
      state.names.delete(name)
      if (wildcard) continue
      for (const set of [state.held, state.force, state.refused, state.leaving, state.missing]) set.delete(name)
    }
  }

  #full(state: TypeState): StreamResponse | undefined {
    const deletable = state.leaving.size > 0 && this.mayDelete(state)
    if (!isDirty(state) && !state.answer && !deletable) return undefined
    state.dirty = new Set()
    state.leaving.clear()
    const listed = new Map<string, EncodedResource>()
    for (const name of new Set([...state.names, ...(state.wildcard ? this.source.names(this.proxy, state.typeUrl) : [])])) {
      const resource = this.#lastGood(state, this.source.resource(this.proxy, state.typeUrl, name))
      if (resource) listed.set(name, resource)
    }
    for (const [name, held] of state.held) {
      if (listed.has(name) || !interested(state, name) || this.mayDelete(state) || !isResource(held)) continue
      // gone, but the client may still refer to it: stays listed as it was
      state.leaving.add(name)
      listed.set(name, held)
    }
    if (this.#isUndecided(state, listed)) {
      state.answer = true
      return undefined
    }
    const resources = [...listed.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const removed = [...state.held.keys()].filter((name) => !listed.has(name))
    const same = removed.length === 0 && resources.every(({ name, version }) => state.held.get(name)?.version === version)
    if (same && !state.answer) return undefined
    state.force.clear()
    const leaving = new Set(state.leaving)
    const response = this.#respond(state, resources, removed)
    for (const name of leaving) state.leaving.add(name)
    return response
  }

  /**
   * Whether a name is asked for that is gone, by something whose successor is on its way: the client asks for another one when it has that, and is not told
   * meanwhile that what it needs does not exist.
   */
  #isUndecided(state: TypeState, listed: ReadonlyMap<string, EncodedResource>): boolean {
    const isOnItsWay = placeOf(state.typeUrl).users.some((typeUrl) => {
      const user = this.types.get(typeUrl)
      return user !== undefined && (user.outstanding !== undefined || isDirty(user))
    })
    return isOnItsWay && [...state.names].some((name) => !listed.has(name) && !state.held.has(name) && !state.refused.has(name))
  }

  #partial(state: TypeState): StreamResponse | undefined {
    if (!isDirty(state)) return undefined
    const names =
      state.dirty === 'all' ? [...state.names, ...(state.wildcard ? this.source.names(this.proxy, state.typeUrl) : [])] : state.dirty
    const resources: EncodedResource[] = []
    for (const name of new Set(names)) {
      const resource = this.source.resource(this.proxy, state.typeUrl, name)
      // there is no way to say that one is gone; clients drop it with what refers to it
      if (!resource || !interested(state, name) || state.refused.get(name)?.version === resource.version) continue
      if (state.force.delete(name) || state.held.get(name)?.version !== resource.version) resources.push(resource)
    }
    state.dirty = new Set()
    return resources.length === 0 ? undefined : this.#respond(state, resources, [])
  }

  /** What to list for a resource: what the client had before in place of what it has refused. */
  #lastGood(state: TypeState, resource: EncodedResource | undefined): EncodedResource | undefined {
    if (!resource || state.refused.get(resource.name)?.version !== resource.version) return resource
    const held = state.held.get(resource.name)
    return held && isResource(held) ? held : undefined
  }

  #respond(state: TypeState, resources: readonly EncodedResource[], removed: readonly string[]): StreamResponse {
    const { typeUrl } = state
    const nonce = this.nextNonce()
    this.put(state, nonce, resources, removed)
    return {
      typeUrl,
      nonce,
      bytes: sotwResponse({ versionInfo: versionOf(resources), typeUrl, nonce, entries: resources.map(({ sotw }) => sotw) }),
    }
  }
}

const isResource = (held: Held): held is EncodedResource => 'bytes' in held

/** The same for the same resources, on every replica. */
function versionOf(resources: readonly EncodedResource[]): string {
  const hash = createHash('sha256')
  for (const { name, version } of resources) hash.update(`${name}\0${version}\0`)
  return hash.digest('base64url').slice(0, 16)
}
