import type { Frontend } from '../../../policy/packet/services/index.ts'
import type { ElementChange, SetElement } from '../../forwarding/contract.ts'
import { elementEncoder, encodeHairpin, encodeNumber } from './element-form.ts'
import { MAX_TOKEN, arrangeFrontend, type FrontendState, type Slot } from './frontend-state.ts'
import { TABLE } from './ruleset.ts'
import { classesOfState, elementsOfState, type StateElement } from './state-elements.ts'
import type { StaleFlow } from './stale-flows.ts'

/** What the kernel was told last. */
export interface AppliedState {
  readonly frontends: ReadonlyMap<string, FrontendState>
  /** How many slots point to an address of this node's pods, or to the node: those may be their own backend. 0: none any more; the kernel still knows it. */
  readonly hairpin: ReadonlyMap<string, number>
  /** First token never given. */
  readonly nextToken: number
  readonly generation: Generation
}

/** Marks a state in the kernel: which run of states (random at every full replacement), and how many transactions since. */
export interface Generation {
  readonly epoch: number
  readonly sequence: number
}

export interface UpdatePlan {
  /** One transaction, marker included. Empty: nothing to do. */
  readonly changes: readonly ElementChange[]
  /** States to record; undefined: gone. */
  readonly states: readonly (readonly [key: string, state: FrontendState | undefined])[]
  /** Counts to record. */
  readonly hairpin: readonly (readonly [address: string, count: number])[]
  /** Class numbers whose chains must be there before. */
  readonly classes: ReadonlySet<number>
  readonly nextToken: number
  readonly generation: Generation
  /** Connections that conntrack would go on sending where nobody is. */
  readonly stale: readonly StaleFlow[]
  /** No token is left: only a full replacement can begin anew. */
  readonly exhausted: boolean
}

export const NOTHING_APPLIED: AppliedState = {
  frontends: new Map(),
  hairpin: new Map(),
  nextToken: 16,
  generation: { epoch: 0, sequence: 0 },
}

/**
 * The element changes that bring the kernel from what was last applied to what is wanted, for the frontends named. All of them are one transaction, so that no packet
 * meets a count without its slots: a removed endpoint's slot is filled by the last one, and the count changes with it. Pure.
 * @param wanted frontends by key, undefined where there is to be none @param isOfNode whether an address is one of this node's pods or its own
 */
export function planUpdate(
  applied: AppliedState,
  wanted: Iterable<readonly [key: string, frontend: Frontend | undefined]>,
  isOfNode: (address: string) => boolean,
): UpdatePlan {
  const batch = new ElementBatch()
  const states: [string, FrontendState | undefined][] = []
  const classes = new Set<number>()
  const stale: StaleFlow[] = []
  const hairpin = new Map<string, number>()
  let { nextToken } = applied
  for (const [key, frontend] of wanted) {
    const before = applied.frontends.get(key)
    if (!before && !frontend) continue
    let after: FrontendState | undefined
    if (frontend) ({ state: after, nextToken } = arrangeFrontend(before, frontend, nextToken))
    const changed = batch.addDifference(before, after)
    if (!changed && before && after && before.service === after.service) continue
    states.push([key, after])
    if (after) for (const number of classesOfState(after)) classes.add(number)
    stale.push(...staleFlows(before, after))
    countHairpins(before, after, (address, by) => {
      if (isOfNode(address)) hairpin.set(address, (hairpin.get(address) ?? applied.hairpin.get(address) ?? 0) + by)
    })
  }
  for (const [address, count] of hairpin) {
    // never taken away: a connection that was translated a moment ago is looked up here afterwards. It means nothing for others, and a replacement begins anew
    if (count > 0 && !applied.hairpin.has(address)) batch.add('add', address.includes(':') ? 6 : 4, 'hairpin', encodeHairpin(address))
  }
  const generation = { epoch: applied.generation.epoch, sequence: applied.generation.sequence + 1 }
  const changes = batch.changes()
  return {
    changes: changes.length === 0 ? [] : [...changes, ...markerChanges(applied.generation, generation)],
    states,
    hairpin: [...hairpin],
    classes,
    nextToken,
    generation: changes.length === 0 ? applied.generation : generation,
    stale,
    exhausted: nextToken > MAX_TOKEN || generation.sequence >= 0xffff_ffff,
  }
}

/** The state after a plan was carried out. Changes `applied` in place where it can: it is handed over. */
export function afterUpdate(applied: AppliedState, plan: UpdatePlan): AppliedState {
  const frontends = applied.frontends as Map<string, FrontendState>
  const hairpin = applied.hairpin as Map<string, number>
  for (const [key, state] of plan.states) {
    if (state) frontends.set(key, state)
    else frontends.delete(key)
  }
  for (const [address, count] of plan.hairpin) hairpin.set(address, count)
  return { frontends, hairpin, nextToken: plan.nextToken, generation: plan.generation }
}

/** Groups elements by set, removals first: a key may be taken away and added with other data in one transaction. */
class ElementBatch {
  readonly #groups = { delete: new Map<string, SetElement[]>(), add: new Map<string, SetElement[]>() }

  add(op: 'add' | 'delete', family: 4 | 6, set: string, element: SetElement): void {
    const group = `${family} ${set}`
    const known = this.#groups[op].get(group)
    if (known) known.push(element)
    else this.#groups[op].set(group, [element])
  }

  /** @returns whether there was any */
  addDifference(before: FrontendState | undefined, after: FrontendState | undefined): boolean {
    const next = after ? elementsOfState(after) : new Map<string, StateElement>()
    let changed = false
    if (before) {
      const encode = elementEncoder(before)
      for (const [id, element] of elementsOfState(before)) {
        const stays = next.get(id)
        if (stays && isSame(stays, element)) {
          next.delete(id)
          continue
        }
        changed = true
        this.add('delete', before.family, element.set, encode(element))
      }
    }
    if (after && next.size > 0) {
      changed = true
      const encode = elementEncoder(after)
      for (const element of next.values()) this.add('add', after.family, element.set, encode(element))
    }
    return changed
  }

  changes(): ElementChange[] {
    return (['delete', 'add'] as const).flatMap((op) =>
      [...this.#groups[op]].map(([group, elements]): ElementChange => {
        const [family, set] = group.split(' ') as [string, string]
        return { op, family: family === '4' ? 'ip' : 'ip6', table: TABLE, set, elements }
      }),
    )
  }
}

function isSame(a: StateElement, b: StateElement): boolean {
  return a.value === b.value && a.backend?.address === b.backend?.address && a.backend?.port === b.backend?.port
}

function markerChanges(old: Generation, next: Generation): ElementChange[] {
  const element = ({ epoch, sequence }: Generation): readonly SetElement[] => [{ key: encodeNumber(epoch), data: encodeNumber(sequence) }]
  return (['ip', 'ip6'] as const).flatMap((family): ElementChange[] => [
    { op: 'delete', family, table: TABLE, set: 'generation', elements: element(old) },
    { op: 'add', family, table: TABLE, set: 'generation', elements: element(next) },
  ])
}

/** All slots of a frontend. */
export const slotsOf = (state: FrontendState | undefined): readonly Slot[] => [...(state?.outside ?? []), ...(state?.inside ?? [])]

function countHairpins(
  before: FrontendState | undefined,
  after: FrontendState | undefined,
  count: (address: string, by: 1 | -1) => void,
): void {
  for (const { address } of slotsOf(before)) count(address, -1)
  for (const { address } of slotsOf(after)) count(address, 1)
}

/** UDP has no end that would tell conntrack: what went to a backend that is gone, or past a frontend that is new, must be forgotten. */
function staleFlows(before: FrontendState | undefined, after: FrontendState | undefined): StaleFlow[] {
  const state = before ?? after
  if (state?.protocol !== 'UDP') return []
  const { family, address, port } = state
  const stay = new Set(slotsOf(after).map((slot) => `${slot.address}|${slot.port}`))
  const gone = new Map(slotsOf(before).map((slot) => [`${slot.address}|${slot.port}`, slot]))
  for (const key of stay) gone.delete(key)
  const flows = [...gone.values()].map((slot): StaleFlow => ({
    family,
    address,
    port,
    backend: { address: slot.address, port: slot.port },
  }))
  const isNew = stay.size > 0 && slotsOf(before).length === 0
  return isNew ? [...flows, { family, address, port }] : flows
}
