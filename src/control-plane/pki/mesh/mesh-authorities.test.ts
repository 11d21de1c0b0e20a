import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { createRequest } from '../../../protocols/x509/index.ts'
import { createAuthority, MeshAuthorities, type AuthorityStore, type StoredAuthority } from './index.ts'

const DOMAIN = 'default.mesh.local'
const ID = `spiffe://${DOMAIN}/ns/a/sa/b`
const DAY = 86_400_000
const csr = createRequest({ subject: { commonName: '' } }, generateKeyPairSync('ec', { namedCurve: 'P-256' }))

function memoryStore(): AuthorityStore & { conflicts: number } {
  let [kept, version]: [readonly StoredAuthority[], number] = [[], 0]
  return {
    conflicts: 0,
    load: () => Promise.resolve({ authorities: kept, version: String(version) }),
    save(authorities, expected) {
      if (this.conflicts-- > 0 || expected !== String(version)) return Promise.resolve(false)
      ;[kept, version] = [authorities, version + 1]
      return Promise.resolve(true)
    },
  }
}

function open(
  store = memoryStore(),
  clock = new FakeClock(),
): { authorities: MeshAuthorities; clock: FakeClock; store: ReturnType<typeof memoryStore>; waiting: Set<string> } {
  const waiting = new Set<string>()
  const authorities = new MeshAuthorities({
    trustDomain: DOMAIN,
    store,
    clock,
    log: silentLogger,
    unconfirmed: () => [...waiting].map((proxy) => ({ proxy, lastSeenMs: clock.now() })),
  })
  return { authorities, clock, store, waiting }
}

describe('the authorities of a trust domain', () => {
  it('make the first one, and are the same after a restart', async () => {
    const first = open()
    await first.authorities.start()
    const leaf = first.authorities.sign(csr, ID)
    const second = open(first.store, first.clock)
    await second.authorities.start()
    expect(second.authorities.state).toEqual(first.authorities.state)
    expect(new X509Certificate(leaf.certificate).verify(new X509Certificate(second.authorities.state?.bundle[0] ?? '').publicKey)).toBe(
      true,
    )
  })

  it('rotate: trust first, switch when the last proxy has it, drop the old one when its leaves have run out', async () => {
    const { authorities, clock, waiting } = open()
    await authorities.start()
    const old = authorities.state?.issuer
    waiting.add('web.a')
    await authorities.rotate()
    expect(authorities.state).toMatchObject({ issuer: old, phase: 'AddingTrust', waitingFor: ['web.a'] })
    expect(authorities.state?.bundle).toHaveLength(2)
    await authorities.confirm()
    expect(authorities.state?.issuer).toBe(old)
    waiting.clear()
    await authorities.confirm()
    expect(authorities.state).toMatchObject({ phase: 'Retiring' })
    expect(authorities.state?.issuer).not.toBe(old)
    expect(authorities.state?.bundle).toHaveLength(2)
    await clock.advance(DAY - 1000)
    expect(authorities.state?.bundle).toHaveLength(2)
    await clock.advance(2000)
    expect(authorities.state?.bundle).toHaveLength(1)
    expect(authorities.state?.phase).toBe('Stable')
  })

  it('rotate by themselves before the authority runs out', async () => {
    const { authorities, clock } = open()
    await authorities.start()
    const old = authorities.state?.issuer
    await clock.advance(3650 * DAY * 0.81)
    expect(authorities.state?.issuer).not.toBe(old)
  })

  it('take one that was brought along by a rotation, and refuse a bad one', async () => {
    const { authorities, clock } = open()
    await authorities.start()
    const files = createAuthority({ trustDomain: DOMAIN, nowMs: clock.now() })
    await authorities.bring(files, false)
    expect(authorities.state?.bundle).toContain(files.certificate)
    expect(new X509Certificate(authorities.sign(csr, ID).certificate).verify(new X509Certificate(files.certificate).publicKey)).toBe(true)
    expect(() => authorities.bring({ ...files, certificate: 'rubbish' }, false)).toThrow(/cannot be used/)
  })

  it('let another replica win', async () => {
    const store = memoryStore()
    store.conflicts = 2
    const { authorities } = open(store)
    await authorities.start()
    expect(authorities.state?.bundle).toHaveLength(1)
    store.conflicts = 100
    await expect(authorities.rotate()).rejects.toThrow(/changed by somebody else/)
  })
})
