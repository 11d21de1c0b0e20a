import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { backoffMs } from '../../../base/backoff.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { SignCertificateResponse } from '../../../protocols/mesh-link.ts'
import { createRequest, decodePem, encodePem, readCertificate } from '../../../protocols/x509/index.ts'
import { loadIdentity, saveIdentity, type StoredIdentity } from './identity-store.ts'
import type { TrustBundles } from './peer-identity.ts'
import { planRenewal, type HeldCertificate, type WantedIdentity } from './plan-renewal.ts'

export interface WorkloadIdentityOptions {
  /** File that keeps it; absent: nowhere. */
  readonly path?: string
  /** Asks the control plane to sign. @throws what went wrong; tried again with back-off */
  readonly sign: (csrPem: string) => Promise<SignCertificateResponse>
  readonly clock: Clock
  /** 0 <= x < 1. */
  readonly random: () => number
  readonly log: Logger
  /** For tests of what a full disk does. Default: writes the file. */
  readonly write?: typeof saveIdentity
}

/** What TLS is spoken with just now. */
export interface IdentityMaterial {
  /** PEM. */
  readonly privateKey: string
  readonly certificate: string
  readonly spiffeId: string
  readonly notAfterMs: number
}

const BACKOFF = { baseMs: 500, maxMs: 60_000, jitter: 0.5 }

/**
 * The identity of one proxy: its key is made here and never leaves; the certificate is renewed at half of its life, or when the issuer has changed; both
 * are kept on disk. What runs out is not used any more.
 */
export class WorkloadIdentity {
  readonly #options: WorkloadIdentityOptions
  readonly #listeners = new Set<() => void>()
  #stored: StoredIdentity | undefined
  #held: HeldCertificate | undefined
  #trust: TrustBundles = new Map()
  #trustText = ''
  #wanted: WantedIdentity | undefined
  #issuerSeenAtMs: number
  #jitter: number
  #failures = 0
  #timer: Timer | undefined
  #asking: Promise<void> | undefined
  #stopped = false
  #problem: string | undefined
  #saving: Promise<void> = Promise.resolve()
  #saved: StoredIdentity | undefined
  #saveError: string | undefined

  constructor(options: WorkloadIdentityOptions) {
    this.#options = options
    this.#jitter = options.random()
    this.#issuerSeenAtMs = options.clock.now()
    if (options.path === undefined) return
    try {
      const stored = loadIdentity(options.path)
      if (!stored) return
      this.#take(stored)
      this.#saved = stored
      this.setTrust(stored.trust)
      // until the control plane says otherwise it is the one that is wanted
      this.#wanted = { spiffeId: stored.spiffeId, issuer: stored.issuer }
    } catch (error) {
      options.log.error('the identity on disk is damaged and not used: a new one takes its place', {
        file: options.path,
        reason: messageOf(error),
      })
    }
  }

  /** Undefined while there is none that may be shown. */
  get material(): IdentityMaterial | undefined {
    const plan = this.#plan()
    if (!plan.usable || !this.#stored || !this.#held) return undefined
    const { privateKey, certificate, spiffeId } = this.#stored
    return { privateKey, certificate, spiffeId, notAfterMs: this.#held.notAfterMs }
  }

  get trust(): TrustBundles {
    return this.#trust
  }

  /** Why there is no certificate, or no new one; undefined: all is well. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Why the identity is not on disk as it is, the last time; undefined: it is, or is not to be. */
  get saveError(): string | undefined {
    return this.#saveError
  }

  /** Called when material or trust have changed. @returns stops it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** What the control plane says of this proxy; undefined: it is to have no identity. */
  want(wanted: WantedIdentity | undefined): void {
    if (wanted?.issuer !== this.#wanted?.issuer) this.#issuerSeenAtMs = this.#options.clock.now()
    this.#wanted = wanted
    this.#schedule()
  }

  /** CA certificates in PEM by trust domain. Unreadable ones are left out with a warning. */
  setTrust(trust: Readonly<Record<string, readonly string[]>>): void {
    const text = JSON.stringify(trust)
    if (text === this.#trustText) return
    this.#trustText = text
    this.#trust = new Map(Object.entries(trust).map(([domain, pems]) => [domain, pems.flatMap((pem) => this.#parse(domain, pem))]))
    if (this.#stored && JSON.stringify(this.#stored.trust) !== text) {
      this.#stored = { ...this.#stored, trust }
      void this.#save()
    }
    this.#tell()
  }

  /** Resolves when there is a certificate, or the identity is stopped. */
  whenReady(): Promise<void> {
    if (this.material || this.#stopped) return Promise.resolve()
    return new Promise((resolve) => {
      const off = this.onChange(() => {
        if (!this.material && !this.#stopped) return
        off()
        resolve()
      })
    })
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#tell()
  }

  #plan(): ReturnType<typeof planRenewal> {
    const at = { nowMs: this.#options.clock.now(), jitter: this.#jitter, issuerSeenAtMs: this.#issuerSeenAtMs }
    return planRenewal(this.#held, this.#wanted, at)
  }

  #schedule(notBeforeMs = 0): void {
    const { clock } = this.#options
    this.#timer?.cancel()
    if (this.#stopped || this.#asking) return
    const { renewAtMs } = this.#plan()
    if (renewAtMs === undefined) return
    const waitMs = Math.max(0, Math.max(renewAtMs, notBeforeMs) - clock.now())
    this.#timer = clock.after(waitMs, () => {
      // a clock that was set, or a wait longer than timers can be
      if ((this.#plan().renewAtMs ?? Number.POSITIVE_INFINITY) > clock.now()) return this.#schedule()
      this.#asking = this.#renew().finally(() => {
        this.#asking = undefined
        this.#schedule(this.#failures > 0 ? clock.now() + backoffMs(this.#failures, BACKOFF, this.#options.random) : 0)
      })
    })
  }

  async #renew(): Promise<void> {
    const { sign, log, random } = this.#options
    try {
      const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const csr = encodePem('CERTIFICATE REQUEST', createRequest({ subject: { commonName: '' } }, keys))
      const { certificate, trust, spiffeId, issuer } = await sign(csr)
      if (this.#stopped) return
      const privateKey = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      if (!new X509Certificate(certificate).checkPrivateKey(keys.privateKey)) throw new Error('the control plane signed another key')
      this.#take({ privateKey, certificate, trust, spiffeId, issuer })
      this.#failures = 0
      this.#problem = undefined
      this.#jitter = random()
      this.setTrust(trust)
      log.info('identity renewed', { spiffeId, notAfter: new Date(this.#held?.notAfterMs ?? 0).toISOString() })
      await this.#save()
      this.#tell()
    } catch (error) {
      this.#failures++
      this.#problem = messageOf(error)
      log.warn('no certificate could be had', { error: this.#problem, failures: this.#failures })
    }
  }

  #take(stored: StoredIdentity): void {
    const { notBefore, notAfter } = readCertificate(decodePem(stored.certificate, 'CERTIFICATE'))
    this.#stored = stored
    this.#held = { notBeforeMs: notBefore, notAfterMs: notAfter, spiffeId: stored.spiffeId, issuer: stored.issuer }
  }

  /** One write after another; what is on disk already is not written again. */
  #save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#write())
    return this.#saving
  }

  async #write(): Promise<void> {
    const { path, log, write = saveIdentity } = this.#options
    const stored = this.#stored
    if (path === undefined || !stored || stored === this.#saved) return
    try {
      await write(path, stored)
      this.#saved = stored
      this.#saveError = undefined
    } catch (error) {
      // a full disk costs the next start without a control plane, nothing now
      this.#saveError = messageOf(error)
      log.error('the identity cannot be kept on disk: going on without', { file: path, reason: this.#saveError })
    }
  }

  #parse(domain: string, pem: string): X509Certificate[] {
    try {
      return [new X509Certificate(pem)]
    } catch (error) {
      this.#options.log.warn('a CA certificate cannot be read', { domain, error: messageOf(error) })
      return []
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
