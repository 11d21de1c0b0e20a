import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import { createAuthority, openAuthority, authorityId, type AuthorityFiles, type MeshAuthority } from './authority.ts'
import { issueLeaf, LEAF_LIFE_MS, type IssuedLeaf } from './issue-leaf.ts'
import { planRotation, type AuthorityRecord, type RotationFacts, type RotationPlan, type RotationStep } from './plan-rotation.ts'

/** An authority as it is kept. */
export interface StoredAuthority extends AuthorityFiles {
  readonly id: string
  readonly phase: AuthorityRecord['phase']
  readonly sinceMs: number
}

/** Where the authorities of one trust domain are kept. Several replicas of a control plane share it. */
export interface AuthorityStore {
  /** What is there, and a token for `save`. */
  load(): Promise<{ readonly authorities: readonly StoredAuthority[]; readonly version: string }>
  /** @returns false when somebody else has written since `version` */
  save(authorities: readonly StoredAuthority[], version: string): Promise<boolean>
}

export interface MeshAuthoritiesOptions {
  readonly trustDomain: string
  readonly store: AuthorityStore
  readonly clock: Clock
  readonly log: Logger
  /** Default 24 h. */
  readonly leafLifeMs?: number
  /** See RotationFacts. */
  readonly unconfirmed: RotationFacts['unconfirmed']
}

/** What others see of a trust domain. */
export interface TrustState {
  readonly trustDomain: string
  /** PEM; what proxies are to trust. */
  readonly bundle: readonly string[]
  /** Id of the authority that signs. */
  readonly issuer: string
  readonly phase: RotationPlan['phase']
  readonly waitingFor: readonly string[]
  readonly expiresSoon: boolean
  readonly notAfterMs: number
}

const AGAIN_MS = 60_000
const MAX_CONFLICTS = 5

/** The authorities of one trust domain: signs with the right one, and takes them through their life. */
export class MeshAuthorities {
  readonly #options: MeshAuthoritiesOptions
  readonly #listeners = new Set<() => void>()
  #stored: readonly StoredAuthority[] = []
  #open = new Map<string, MeshAuthority>()
  #plan: RotationPlan | undefined
  #requested = false
  #brought: AuthorityFiles | undefined
  #generates = true
  #timer: Timer | undefined
  #tail: Promise<unknown> = Promise.resolve()
  /** A look that waits for its turn. */
  #confirming: Promise<void> | undefined

  constructor(options: MeshAuthoritiesOptions) {
    this.#options = options
  }

  /** Loads or makes the first authority. @throws {PkiError} for one that cannot be used */
  start(): Promise<void> {
    return this.#step()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** Undefined before the first authority signs. */
  get state(): TrustState | undefined {
    const issuing = this.#issuing()
    if (!issuing) return undefined
    return {
      trustDomain: this.#options.trustDomain,
      bundle: this.#stored.map(({ certificate }) => certificate),
      issuer: issuing.id,
      phase: this.#plan?.phase ?? 'Stable',
      waitingFor: this.#plan?.waitingFor ?? [],
      expiresSoon: this.#plan?.expiresSoon ?? false,
      notAfterMs: issuing.info.notAfter,
    }
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Signs a workload's certificate with the authority of now. @throws {DerError} for a bad request, Error while there is no authority */
  sign(csr: Uint8Array, spiffeId: string): IssuedLeaf {
    const authority = this.#issuing()
    if (!authority) throw new Error(`trust domain ${this.#options.trustDomain} has no certificate authority yet`)
    const { clock, leafLifeMs = LEAF_LIFE_MS } = this.#options
    return issueLeaf(authority, { csr, spiffeId, lifeMs: leafLifeMs, nowMs: clock.now() })
  }

  /** Starts a rotation now. */
  rotate(): Promise<void> {
    this.#requested = true
    return this.#step()
  }

  /** An authority that was brought along, or none: then authorities are made here. A new one takes over by a rotation. */
  bring(files: AuthorityFiles | undefined, generates: boolean): Promise<void> {
    if (files) openAuthority(files, this.#options.trustDomain, this.#options.clock.now())
    this.#brought = files
    this.#generates = generates
    return this.#step()
  }

  /** A proxy has confirmed something: a step that waited may be due. Thousands may confirm at once: one look after the last of them does. */
  confirm(): Promise<void> {
    if (this.#plan?.phase !== 'AddingTrust') return Promise.resolve()
    this.#confirming ??= this.#tail.then(() => {
      this.#confirming = undefined
      return this.#step()
    })
    return this.#confirming
  }

  #issuing(): MeshAuthority | undefined {
    const id = this.#stored.find(({ phase }) => phase === 'issuing')?.id
    return id === undefined ? undefined : this.#open.get(id)
  }

  #step(): Promise<void> {
    const next = this.#tail.then(() => this.#run())
    this.#tail = next.catch(() => {})
    return next
  }

  async #run(): Promise<void> {
    const { clock, log, store, trustDomain } = this.#options
    this.#timer?.cancel()
    for (let conflicts = 0; ;) {
      const { authorities, version } = await store.load()
      this.#take(authorities)
      const brought = this.#withBrought(authorities)
      const plan = planRotation(
        brought.map((each) => this.#record(each)),
        this.#facts(),
      )
      this.#plan = plan
      const changed = plan.steps.reduce((all, step) => this.#apply(all, step), brought)
      if (changed === authorities) break
      if (await store.save(changed, version)) {
        if (plan.steps.some(({ type }) => type === 'create')) this.#requested = false
        log.info('authorities of the mesh have changed', { trustDomain, authorities: changed.map(({ id, phase }) => `${id} ${phase}`) })
        this.#take(changed)
        conflicts = 0
      } else if (++conflicts > MAX_CONFLICTS)
        throw new Error(`the authorities of ${trustDomain} are being changed by somebody else all the time`)
    }
    const waitMs = Math.max(0, (this.#plan?.againAtMs ?? clock.now() + AGAIN_MS) - clock.now())
    // proxies that went away without a word are noticed by looking again
    this.#timer = clock.after(Math.min(waitMs, this.#plan?.phase === 'AddingTrust' ? AGAIN_MS : waitMs), () => {
      this.#step().catch((error: unknown) => log.error('the rotation of authorities failed', { trustDomain, error: messageOf(error) }))
    })
  }

  #facts(): RotationFacts {
    const { clock, leafLifeMs = LEAF_LIFE_MS, unconfirmed } = this.#options
    return { nowMs: clock.now(), leafLifeMs, unconfirmed, requested: this.#requested, generates: this.#generates }
  }

  #withBrought(authorities: readonly StoredAuthority[]): readonly StoredAuthority[] {
    const files = this.#brought
    if (!files) return authorities
    const id = authorityId(files.certificate)
    // one that is already on its way is waited for
    if (authorities.some((each) => each.id === id || each.phase === 'trusted')) return authorities
    return [...authorities, { ...files, id, phase: 'trusted', sinceMs: this.#options.clock.now() }]
  }

  #apply(all: readonly StoredAuthority[], step: RotationStep): readonly StoredAuthority[] {
    const { clock, trustDomain } = this.#options
    switch (step.type) {
      case 'create': {
        const files = createAuthority({ trustDomain, nowMs: clock.now() })
        return [...all, { ...files, id: authorityId(files.certificate), phase: 'trusted', sinceMs: clock.now() }]
      }
      case 'phase':
        return all.map((each) => (each.id === step.id ? { ...each, phase: step.phase, sinceMs: clock.now() } : each))
      case 'remove':
        return all.filter(({ id }) => id !== step.id)
    }
  }

  #record(stored: StoredAuthority): AuthorityRecord {
    const { info } = this.#opened(stored)
    return { id: stored.id, phase: stored.phase, sinceMs: stored.sinceMs, notBeforeMs: info.notBefore, notAfterMs: info.notAfter }
  }

  #take(stored: readonly StoredAuthority[]): void {
    const before = JSON.stringify(this.#stored)
    for (const each of stored) this.#opened(each)
    this.#stored = stored
    if (JSON.stringify(stored) !== before) for (const listener of this.#listeners) listener()
  }

  #opened(stored: StoredAuthority): MeshAuthority {
    const known = this.#open.get(stored.id)
    if (known) return known
    // one that has run out is still looked at: what it signed may be told apart by it
    const authority = openAuthority(stored, this.#options.trustDomain, 0)
    this.#open.set(stored.id, authority)
    return authority
  }
}
