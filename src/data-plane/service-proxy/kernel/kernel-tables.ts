import type { Frontend, ServiceNode } from '../../../policy/packet/services/index.ts'
import type { Logger } from '../../../base/log.ts'
import { messageOf } from '../../../base/errors.ts'
import { parseIp, parsePrefix, prefixContains } from '../../../base/ip.ts'
import type { Nft } from '../../forwarding/contract.ts'
import { AppliedJournal } from './applied-journal.ts'
import { NOTHING_APPLIED, afterUpdate, planUpdate, type AppliedState, type Generation, type UpdatePlan } from './plan-update.ts'
import { TABLE, chainsText, dropChainsText, emptyRuleset, fullRuleset, preloadedClasses, shapeOf } from './ruleset.ts'
import { classesOfState } from './state-elements.ts'
import { COUNTED, countsOfState, findDifference } from './verify-tables.ts'

export interface KernelTablesOptions {
  readonly nft: Nft
  readonly node: ServiceNode
  readonly random: () => number
  readonly log: Logger
  /** Where the last applied state is kept; absent: a restart replaces the tables. */
  readonly statePath?: string
}

/** Chains that nothing leads to any more and that stay: whoever had them once, often has them again. */
const MAX_UNUSED_CHAINS = 256

/** What we know of the tables in the kernel, and the two ways to change them: by difference, or all at once. */
export class KernelTables {
  readonly #options: KernelTablesOptions
  readonly #journal: AppliedJournal | undefined
  readonly #isOfNode: (address: string) => boolean
  #applied: AppliedState | undefined
  #classes = new Set<number>()
  /** Nothing of that name is in the kernel, so that nothing can be disturbed. */
  #areAbsent = false

  constructor(options: KernelTablesOptions) {
    this.#options = options
    this.#isOfNode = addressesOfNode(options.node)
    this.#journal = options.statePath === undefined ? undefined : new AppliedJournal(options.statePath, shapeOf(options.node))
  }

  /** What was last applied; undefined: not known, or not to be relied on. */
  get applied(): AppliedState | undefined {
    return this.#applied
  }

  /** Takes up what an earlier process left, if the kernel still has what that process wrote down. @returns whether it has */
  async resume(): Promise<boolean> {
    const [four, six] = [await this.#marker('ip'), await this.#marker('ip6')]
    this.#areAbsent = four === 'no table' && six === 'no table'
    if (!this.#journal || typeof four === 'string' || typeof six === 'string') return false
    if (four.epoch !== six.epoch || four.sequence !== six.sequence) return false
    const state = await this.#journal.load(four, this.#isOfNode)
    if (!state || !(await this.#isWhole(state))) return false
    this.#applied = state
    this.#classes = new Set([...preloadedClasses(), ...[...state.frontends.values()].flatMap(classesOfState)])
    await this.#record((journal) => journal.replace(state))
    return true
  }

  /** The plan is only of use to this object, at once. */
  plan(wanted: Iterable<readonly [key: string, frontend: Frontend | undefined]>): UpdatePlan {
    return planUpdate(this.#applied ?? NOTHING_APPLIED, wanted, this.#isOfNode)
  }

  /** Carries a plan out in one transaction. After an error nothing is known any more. @throws NftError */
  async update(plan: UpdatePlan): Promise<void> {
    const applied = this.#applied ?? NOTHING_APPLIED
    this.#applied = undefined
    if (plan.states.length > 0) {
      await this.#record((journal) => journal.append(plan))
      await this.#addChains(plan.classes, plan.generation)
      if (plan.changes.length > 0) await this.#options.nft.apply(plan.changes)
    }
    this.#applied = afterUpdate(applied, plan)
  }

  /** Makes the tables anew: one transaction, whatever was there; no packet meets them half done. @throws NftError */
  async replace(frontends: ReadonlyMap<string, Frontend>): Promise<void> {
    const { nft, node } = this.#options
    const epoch = 1 + Math.floor(this.#options.random() * 0xffff_fffe)
    const empty = { ...NOTHING_APPLIED, frontends: new Map(), hairpin: new Map(), generation: { epoch, sequence: 0 } }
    this.#applied = undefined
    const plan = planUpdate(empty, frontends, this.#isOfNode)
    const state = afterUpdate(empty, { ...plan, generation: { epoch, sequence: 1 } })
    await this.#record((journal) => journal.replace(state))
    if (this.#areAbsent && plan.changes.length > 0) {
      // nobody is served yet: netlink is much faster than text
      await nft.run(emptyRuleset(node, empty.generation))
      this.#areAbsent = false
      this.#classes = new Set(preloadedClasses())
      await this.#addChains(plan.classes, state.generation)
      await nft.apply(plan.changes)
    } else {
      await nft.run(fullRuleset(node, state))
      this.#areAbsent = false
      this.#classes = new Set([...preloadedClasses(), ...plan.classes])
    }
    this.#applied = state
  }

  /** Keeps the journal short, and the chains few whatever endpoint counts and affinity times have been. For idle moments. */
  async tidy(): Promise<void> {
    const applied = this.#applied
    if (this.#journal?.isLong && applied) await this.#record((journal) => journal.replace(applied))
    if (applied && this.#classes.size > MAX_UNUSED_CHAINS) await this.#dropChains(applied)
  }

  /** To be called when somebody else has been at the tables. */
  distrust(): void {
    this.#applied = undefined
  }

  async close(): Promise<void> {
    await this.#journal?.close()
  }

  /** The marker tells which transaction of ours was the last; whether a stranger was there while nobody watched, only a look at everything can. */
  async #isWhole(state: AppliedState): Promise<boolean> {
    const { nft, node, log } = this.#options
    for (const family of ['ip', 'ip6'] as const) {
      const difference = await nft
        .count?.({ family, table: TABLE }, COUNTED)
        .then((found) => findDifference(countsOfState(node, state, family), found), messageOf)
      if (difference === undefined) continue
      log.warn('service tables were changed while no agent ran: they are made anew', { table: `${family} ${TABLE}`, difference })
      return false
    }
    return true
  }

  /** What cannot be written down, on a disk that is full, is carried out all the same: it is the next start that makes the tables anew. */
  async #record(write: (journal: AppliedJournal) => Promise<void>): Promise<void> {
    try {
      if (this.#journal) await write(this.#journal)
    } catch (error) {
      this.#options.log.warn('what the kernel has of services cannot be written down', { error: messageOf(error) })
    }
  }

  async #addChains(classes: ReadonlySet<number>, generation: Generation): Promise<void> {
    const missing = [...classes].filter((number) => !this.#classes.has(number))
    if (missing.length === 0) return
    await this.#options.nft.run(chainsText(missing, generation))
    for (const number of missing) this.#classes.add(number)
  }

  async #dropChains(applied: AppliedState): Promise<void> {
    const used = new Set([...preloadedClasses(), ...[...applied.frontends.values()].flatMap(classesOfState)])
    const unused = [...this.#classes].filter((number) => !used.has(number))
    if (unused.length <= MAX_UNUSED_CHAINS) return
    try {
      await this.#options.nft.run(dropChainsText(unused))
      this.#classes = used
    } catch (error) {
      this.#options.log.warn('chains without use cannot be taken away', { count: unused.length, error: messageOf(error) })
    }
  }

  async #marker(family: 'ip' | 'ip6'): Promise<Generation | 'no table' | 'no marker'> {
    const { nft, log } = this.#options
    try {
      return readMarker(await nft.list('map', family, TABLE, 'generation')) ?? 'no marker'
    } catch (error) {
      if ((error as { readonly code?: string }).code === 'ENOENT') {
        return (await nft.list('chains', family).then(
          (answer) => namesTable(answer),
          () => true,
        ))
          ? 'no marker'
          : 'no table'
      }
      log.warn('what the kernel has of services cannot be read', { family, error: messageOf(error) })
      return 'no marker'
    }
  }
}

/** The one element of the map `generation`, from `nft -j list map`. */
function readMarker(answer: unknown): Generation | undefined {
  const objects = (answer as { readonly nftables?: readonly { readonly map?: { readonly elem?: readonly unknown[] } }[] }).nftables ?? []
  const elements = objects.flatMap(({ map }) => map?.elem ?? [])
  const [epoch, sequence] = elements.length === 1 && Array.isArray(elements[0]) ? (elements[0] as unknown[]) : []
  return typeof epoch === 'number' && typeof sequence === 'number' ? { epoch, sequence } : undefined
}

function namesTable(answer: unknown): boolean {
  const objects = (answer as { readonly nftables?: readonly { readonly chain?: { readonly table?: string } }[] }).nftables ?? []
  return objects.some(({ chain }) => chain?.table === TABLE)
}

function addressesOfNode(node: ServiceNode): (address: string) => boolean {
  const own = new Set(node.addresses)
  const ranges = (node.podRanges ?? []).flatMap((range) => parsePrefix(range) ?? [])
  return (address) => {
    if (own.has(address)) return true
    if (ranges.length === 0) return false
    const bytes = parseIp(address)
    return bytes !== undefined && ranges.some((range) => prefixContains(range, bytes))
  }
}
