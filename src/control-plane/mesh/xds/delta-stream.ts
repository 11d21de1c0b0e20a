import { deltaResponse, type DeltaDiscoveryRequest } from '../../../protocols/discovery/index.ts'
import type { EncodedResource } from './contract.ts'
import { interested, markDirty, StreamState, type StreamResponse, type TypeState } from './stream-state.ts'
import { isFullType } from './type-order.ts'

/**
 * One stream of the incremental protocol, without I/O: requests in, responses out. Source: Envoy, xDS protocol, "Incremental xDS".
 * Every name that is subscribed is answered; what does not exist is said to be removed; what the client brought along is not sent again.
 */
export class DeltaStream extends StreamState {
  /** @throws {StreamProtocolError} */
  receive(request: DeltaDiscoveryRequest): void {
    this.lastContactMs = this.options.now()
    const { state, first } = this.stateOf(request.typeUrl)
    if (request.responseNonce !== '') this.confirm(state, request.responseNonce, request.errorDetail)
    if (first) {
      for (const [name, version] of request.initialVersions) state.held.set(name, { version })
      if (request.subscribe.length === 0 && isFullType(state.typeUrl)) state.wildcard = true
    }
    for (const name of request.subscribe) this.#subscribe(state, name, first)
    for (const name of request.unsubscribe) this.#unsubscribe(state, name)
    if (first) for (const name of state.held.keys()) if (!interested(state, name)) state.held.delete(name)
    this.checkNames([...request.subscribe, ...request.initialVersions.keys()])
    // who comes back with all of it has nothing to confirm
    this.settle(state)
  }

  /** What can be sent now: at most one response of each type, none of types whose last one is not confirmed. */
  next(): StreamResponse[] {
    const responses: StreamResponse[] = []
    for (const state of this.ordered()) {
      if (state.outstanding || !this.mayAdd(state)) continue
      const response = this.#respond(state)
      if (response) responses.push(response)
    }
    return responses
  }

  #subscribe(state: TypeState, name: string, first: boolean): void {
    if (name === '*') {
      state.wildcard = true
      state.answer = true
      state.dirty = 'all'
      return
    }
    state.names.add(name)
    state.missing.delete(name)
    state.refused.delete(name)
    if (!first || !state.held.has(name)) state.force.add(name)
    markDirty(state, name)
  }

  #unsubscribe(state: TypeState, name: string): void {
    if (name === '*') {
      state.wildcard = false
      for (const held of state.held.keys()) if (!state.names.has(held)) this.#forget(state, held)
      return
    }
    state.names.delete(name)
    this.#forget(state, name)
    // the client has dropped it, but everything is what it asks for
    if (state.wildcard) {
      state.force.add(name)
      markDirty(state, name)
    }
  }

  #forget(state: TypeState, name: string): void {
    state.held.delete(name)
    for (const set of [state.missing, state.refused, state.force, state.leaving]) set.delete(name)
    if (state.dirty !== 'all') state.dirty.delete(name)
  }

  #respond(state: TypeState): StreamResponse | undefined {
    if (state.leaving.size > 0 && this.mayDelete(state)) {
      for (const name of state.leaving) markDirty(state, name)
      state.leaving.clear()
    }
    const names = this.#candidates(state)
    state.dirty = new Set()
    const resources: EncodedResource[] = []
    const removed: string[] = []
    let size = 0
    for (const name of names) {
      const resource = this.source.resource(this.proxy, state.typeUrl, name)
      if (!resource) {
        if (this.#mayRemove(state, name)) removed.push(name)
        continue
      }
      if (!this.#wants(state, resource)) continue
      if (size > 0 && size + resource.delta.length > this.limits.responseBytes) {
        state.dirty.add(name)
        continue
      }
      size += resource.delta.length
      state.force.delete(name)
      resources.push(resource)
    }
    if (resources.length === 0 && removed.length === 0 && !state.answer) return undefined
    const nonce = this.nextNonce()
    const { typeUrl } = state
    this.put(state, nonce, resources, removed)
    return { typeUrl, nonce, bytes: deltaResponse({ typeUrl, nonce, entries: resources.map(({ delta }) => delta), removed }) }
  }

  #candidates(state: TypeState): Iterable<string> {
    if (state.dirty !== 'all') return state.dirty
    const all = state.wildcard ? this.source.names(this.proxy, state.typeUrl) : []
    return new Set([...state.names, ...all, ...state.held.keys()])
  }

  #wants(state: TypeState, resource: EncodedResource): boolean {
    const { name, version } = resource
    if (!interested(state, name) || state.refused.get(name)?.version === version) return false
    state.leaving.delete(name)
    return state.force.has(name) || state.held.get(name)?.version !== version
  }

  /** Notes that a resource does not exist. Returns whether to say so now. */
  #mayRemove(state: TypeState, name: string): boolean {
    state.force.delete(name)
    state.refused.delete(name)
    if (state.held.has(name)) {
      if (this.mayDelete(state)) {
        if (state.names.has(name)) state.missing.add(name)
        return true
      }
      state.leaving.add(name)
      return false
    }
    if (!state.names.has(name) || state.missing.has(name)) return false
    state.missing.add(name)
    return true
  }
}
