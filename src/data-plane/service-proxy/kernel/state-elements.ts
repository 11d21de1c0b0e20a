import { INSIDE_OFFSET, classNumber } from './frontend-class.ts'
import type { FrontendState, Slot } from './frontend-state.ts'

/** Sets and maps keyed by a frontend, and for some by a number or a range of senders besides. */
export type ElementSet =
  | 'frontend'
  | 'near'
  | 'endpoint'
  | 'choice'
  | 'token'
  | 'no-endpoints'
  | 'no-local'
  | 'no-local-outside'
  | 'guarded'
  | 'allowed-source'

/** An element of one frontend, before it is bytes or text. */
export interface StateElement {
  readonly set: ElementSet
  /** Slot number or token. */
  readonly number?: number
  /** For `allowed-source`. */
  readonly range?: string
  /** Class number or token. */
  readonly value?: number
  /** Backend. */
  readonly backend?: { readonly address: string; readonly port: number }
}

/** The elements that carry a state out, by their identity. Pure: equal states have equal elements. */
export function elementsOfState(state: FrontendState): Map<string, StateElement> {
  const elements = new Map<string, StateElement>()
  const add = (element: StateElement): void => {
    elements.set(`${element.set} ${element.number ?? element.range ?? ''}`, element)
  }
  addSlots(state, state.outside, false, add)
  if (state.inside) addSlots(state, state.inside, true, add)
  if (state.refusal) add({ set: state.refusal })
  if (state.sourceRanges) {
    add({ set: 'guarded' })
    for (const range of state.sourceRanges) add({ set: 'allowed-source', range })
  }
  return elements
}

/** The numbers of the classes that a state needs. */
export function classesOfState(state: FrontendState): number[] {
  return [
    ...(state.outside.length > 0 ? [classOf(state, state.outside, false)] : []),
    ...(state.inside?.length ? [classOf(state, state.inside, true)] : []),
  ]
}

function classOf(state: FrontendState, slots: readonly Slot[], inside: boolean): number {
  // the sender's address of pods and of the node itself is never rewritten for its own sake
  const rewritesSource = state.rewritesSource && !inside
  return classNumber({ count: slots.length, inside, rewritesSource, affinitySeconds: state.affinitySeconds ?? 0 })
}

function addSlots(state: FrontendState, slots: readonly Slot[], inside: boolean, add: (element: StateElement) => void): void {
  if (slots.length === 0) return
  add({ set: inside ? 'near' : 'frontend', value: classOf(state, slots, inside) })
  slots.forEach(({ address, port, token }, i) => {
    const number = i + (inside ? INSIDE_OFFSET : 0)
    const backend = { address, port }
    if (token === undefined) return add({ set: 'endpoint', number, backend })
    // a client remembers the token: looked up in `token`, it is itself while its backend is served
    add({ set: 'choice', number, value: token })
    add({ set: 'token', number: token, value: token })
    add({ set: 'endpoint', number: token, backend })
  })
}
