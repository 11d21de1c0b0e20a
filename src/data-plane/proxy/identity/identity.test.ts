import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { connect, createServer, type TlsOptions } from 'node:tls'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { createMeshTls, loadIdentity, parseSpiffeId, planRenewal, WorkloadIdentity, type WorkloadIdentityOptions } from './index.ts'
import { signer, testAuthority, type TestAuthority } from './identity-fixture.ts'

const DOMAIN = 'default.mesh.local'
const WEB = `spiffe://${DOMAIN}/ns/shop/sa/web`
const DB = `spiffe://${DOMAIN}/ns/shop/sa/db`
const HOUR = 3_600_000
/** Certificates know no milliseconds. */
const WHOLE_SECOND = Math.floor(Date.now() / 1000) * 1000
const open: WorkloadIdentity[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.stop()
})

function make(options: Partial<WorkloadIdentityOptions> & Pick<WorkloadIdentityOptions, 'sign'>): WorkloadIdentity {
  const made = new WorkloadIdentity({ clock: systemClock, random: () => 0.5, log: silentLogger, ...options })
  open.push(made)
  return made
}

async function identityOf(
  ca: TestAuthority,
  spiffeId: string,
  trust: Record<string, string[]> = { [DOMAIN]: [ca.certificate] },
): Promise<WorkloadIdentity> {
  const identity = make({ sign: signer({ ca, spiffeId, trust, nowMs: () => Date.now() - 1000 }) })
  identity.want({ spiffeId, issuer: 'ca-1' })
  await identity.whenReady()
  return identity
}

const otherKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

describe('SPIFFE IDs', () => {
  it.each(['spiffe://a/b', 'spiffe://a.b-c_d/ns/x/sa/y', 'spiffe://a'])('reads %s', (id) => expect(parseSpiffeId(id)).toBeDefined())
  it.each([
    '',
    'https://a/b',
    'spiffe://',
    'spiffe:///x',
    'spiffe://A/b',
    'spiffe://a:1/b',
    'spiffe://u@a/b',
    'spiffe://a/b/',
    'spiffe://a//b',
    'spiffe://a/./b',
    'spiffe://a/../b',
    'spiffe://a/b?c',
    'spiffe://a/b#c',
    'spiffe://a/%41',
    `spiffe://a/${'x'.repeat(2048)}`,
  ])('refuses %s', (id) => expect(parseSpiffeId(id)).toBeUndefined())
  it('never throws, and gives back what it was given', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parsed = parseSpiffeId(text) ?? parseSpiffeId(`spiffe://${text}`)
        if (parsed) expect([text, `spiffe://${text}`]).toContain(`spiffe://${parsed.trustDomain}${parsed.path}`)
      }),
    )
  })
})

describe('renewal', () => {
  const held = { notBeforeMs: 0, notAfterMs: 24 * HOUR, spiffeId: WEB, issuer: 'a' }
  const at = (nowMs: number, jitter = 0.5, issuerSeenAtMs = 0): Parameters<typeof planRenewal>[2] => ({ nowMs, jitter, issuerSeenAtMs })
  const wanted = { spiffeId: WEB, issuer: 'a' }

  it.each([
    ['there is none', undefined, wanted, at(5), { usable: false, renewAtMs: 5 }],
    ['half of its life is over', held, wanted, at(HOUR), { usable: true, renewAtMs: 12 * HOUR }],
    ['the earliest', held, wanted, at(HOUR, 0), { usable: true, renewAtMs: 24 * HOUR * 0.45 }],
    ['it ran out', held, wanted, at(24 * HOUR), { usable: false, renewAtMs: 24 * HOUR }],
    ['it is for another workload', held, { spiffeId: DB, issuer: 'a' }, at(HOUR), { usable: false, renewAtMs: HOUR }],
    ['the issuer changed', held, { spiffeId: WEB, issuer: 'b' }, at(HOUR, 0.5, HOUR), { usable: true, renewAtMs: HOUR + 2500 }],
    ['no identity is wanted', held, undefined, at(HOUR), { usable: true }],
  ])('%s', (_, have, want, when, expected) => expect(planRenewal(have, want, when)).toEqual(expected))
})

describe('the identity of a proxy', () => {
  it('is asked for, renewed at half of its life, and again after a failure', async () => {
    const clock = new FakeClock(WHOLE_SECOND)
    const ca = testAuthority(clock.now())
    const good = signer({ ca, spiffeId: WEB, trust: { [DOMAIN]: [ca.certificate] }, nowMs: () => clock.now() })
    let calls = 0
    let fail = false
    const identity = make({
      clock,
      sign: (csr) => {
        calls++
        return fail ? Promise.reject(new Error('nobody there')) : good(csr)
      },
    })
    identity.want({ spiffeId: WEB, issuer: 'ca-1' })
    await clock.advance(0)
    await identity.whenReady()
    const first = identity.material
    expect([calls, first?.spiffeId]).toEqual([1, WEB])
    fail = true
    await clock.advance(HOUR / 2)
    await settle()
    expect([calls, identity.problem, identity.material === undefined]).toEqual([2, 'nobody there', false])
    fail = false
    await clock.advance(60_000)
    await settle()
    expect(calls).toBe(3)
    expect(identity.problem).toBeUndefined()
    expect(identity.material?.privateKey).not.toBe(first?.privateKey)
  })

  it('is not shown any more once it has run out', async () => {
    const clock = new FakeClock(WHOLE_SECOND)
    const ca = testAuthority(clock.now())
    const good = signer({ ca, spiffeId: WEB, trust: {}, nowMs: () => clock.now() })
    let away = false
    const identity = make({ clock, sign: (csr) => (away ? Promise.reject(new Error('away')) : good(csr)) })
    identity.want({ spiffeId: WEB, issuer: 'ca-1' })
    await clock.advance(0)
    await identity.whenReady()
    away = true
    for (let i = 0; i < 100; i++) {
      await clock.advance(HOUR / 60)
      await settle()
    }
    expect(identity.material).toBeUndefined()
  })

  it('outlives its process on disk, readable by nobody else; half a file is as good as none', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'identity-'))
    const path = join(dir, 'deep', 'identity.json')
    const now = Date.now()
    const ca = testAuthority(now)
    const sign = signer({ ca, spiffeId: WEB, trust: { [DOMAIN]: [ca.certificate] }, nowMs: () => now - 1000 })
    const first = make({ path, sign })
    first.want({ spiffeId: WEB, issuer: 'ca-1' })
    await first.whenReady()
    await vi.waitFor(() => statSync(path))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const away = make({ path, sign: () => Promise.reject(new Error('away')) })
    expect(away.material).toEqual(first.material)
    expect(away.trust.get(DOMAIN)).toHaveLength(1)
    expect(readdirSync(dirname(path))).toEqual(['identity.json'])
    rmSync(dir, { recursive: true })
  })

  it.each<[string, (text: string) => string, RegExp]>([
    ['half of it', (text) => text.slice(0, 100), /no JSON object, in 100 characters/],
    ['nothing', () => '', /no JSON object/],
    ['another document', () => '[1]', /lacks a private key/],
    ['a trust that is none', (text) => JSON.stringify({ ...JSON.parse(text), trust: { a: 'b' } }), /lacks/],
    ['a certificate that is none', (text) => JSON.stringify({ ...JSON.parse(text), certificate: 'x' }), /PEM|certificate/i],
    ['the key of another', (text) => JSON.stringify({ ...JSON.parse(text), privateKey: otherKey() }), /not the one of its certificate/],
  ])('on disk is refused with a reason, and asked for anew: %s', async (_, damage, reason) => {
    const dir = mkdtempSync(join(tmpdir(), 'identity-'))
    const path = join(dir, 'identity.json')
    const ca = testAuthority(Date.now())
    const sign = signer({ ca, spiffeId: WEB, trust: { [DOMAIN]: [ca.certificate] }, nowMs: () => Date.now() - 1000 })
    const first = make({ path, sign })
    first.want({ spiffeId: WEB, issuer: 'ca-1' })
    await first.whenReady()
    const whole = await vi.waitFor(() => readFileSync(path, 'utf8'))
    writeFileSync(path, damage(whole))
    const said: unknown[] = []
    const log = { ...silentLogger, error: (message: string, fields?: object) => void said.push({ message, ...fields }) }
    const next = make({ path, sign, log })
    expect(next.material).toBeUndefined()
    expect(said).toEqual([expect.objectContaining({ file: path, reason: expect.stringMatching(reason) as unknown })])
    next.want({ spiffeId: WEB, issuer: 'ca-1' })
    await next.whenReady()
    await vi.waitFor(() => expect(loadIdentity(path)?.certificate).toBe(next.material?.certificate))
    rmSync(dir, { recursive: true })
  })

  it('is used although a full disk does not keep it, which is said', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'identity-'))
    const path = join(dir, 'identity.json')
    const ca = testAuthority(Date.now())
    const sign = signer({ ca, spiffeId: WEB, trust: { [DOMAIN]: [ca.certificate] }, nowMs: () => Date.now() - 1000 })
    const identity = make({ path, sign, write: () => Promise.reject(new Error('ENOSPC: no space left on device')) })
    identity.want({ spiffeId: WEB, issuer: 'ca-1' })
    await identity.whenReady()
    await vi.waitFor(() => expect(identity.saveError).toMatch(/ENOSPC/))
    expect([identity.material?.spiffeId, identity.problem, readdirSync(dir)]).toEqual([WEB, undefined, []])
    rmSync(dir, { recursive: true })
  })

  it('is written once for each change, one write after another', async () => {
    const ca = testAuthority(Date.now())
    const trust = { [DOMAIN]: [ca.certificate] }
    let writing = 0
    let most = 0
    const written: number[] = []
    const identity = make({
      path: '/nowhere/identity.json',
      sign: signer({ ca, spiffeId: WEB, trust, nowMs: () => Date.now() - 1000 }),
      write: async (_, { trust: kept }) => {
        most = Math.max(most, ++writing)
        await new Promise((resolve) => setImmediate(resolve))
        writing--
        written.push(Object.keys(kept).length)
      },
    })
    identity.want({ spiffeId: WEB, issuer: 'ca-1' })
    await identity.whenReady()
    identity.setTrust({ ...trust, 'other.local': [ca.certificate] })
    identity.setTrust({ ...trust, 'other.local': [ca.certificate] })
    await vi.waitFor(() => expect(written.at(-1)).toBe(2))
    expect([most, written.length <= 2]).toEqual([1, true])
  })

  it('is asked for anew when the issuer changes', async () => {
    const clock = new FakeClock(WHOLE_SECOND)
    const ca = testAuthority(clock.now())
    let issuer = 'ca-1'
    const identity = make({ clock, sign: signer({ ca, spiffeId: WEB, trust: {}, nowMs: () => clock.now(), issuer: () => issuer }) })
    identity.want({ spiffeId: WEB, issuer })
    await clock.advance(0)
    await identity.whenReady()
    const first = identity.material?.certificate
    issuer = 'ca-2'
    identity.want({ spiffeId: WEB, issuer })
    await clock.advance(5_000)
    await settle()
    expect(identity.material?.certificate).not.toBe(first)
  })
})

describe('TLS between proxies', () => {
  it('is believed in both directions', async () => {
    const ca = testAuthority(Date.now())
    const [client, server] = [await identityOf(ca, WEB), await identityOf(ca, DB)]
    expect(await handshake(client, server, [DB])).toEqual({ server: DB, client: WEB })
  })

  it('believes a certificate that it has seen before until its authority is not trusted any more', async () => {
    const ca = testAuthority(Date.now())
    const [client, server] = [await identityOf(ca, WEB), await identityOf(ca, DB)]
    const tls = createMeshTls(server)
    const leaf = (): X509Certificate => new X509Certificate(client.material?.certificate ?? '')
    expect([tls.identify(leaf()), tls.identify(leaf())]).toEqual([WEB, WEB])
    server.setTrust({ [DOMAIN]: [testAuthority(Date.now()).certificate] })
    expect(() => tls.identify(leaf())).toThrow(/not signed by an authority/)
    expect(() => tls.identify(leaf())).toThrow(/not signed by an authority/)
  })

  it('takes the way over an intermediate', async () => {
    const root = testAuthority(Date.now())
    const trust = { [DOMAIN]: [root.certificate] }
    const [client, server] = [await identityOf(root.intermediate(Date.now()), WEB, trust), await identityOf(root, DB, trust)]
    expect(await handshake(client, server, [DB])).toEqual({ server: DB, client: WEB })
  })

  it('reaches over trust domains that trust each other', async () => {
    const [one, two] = [testAuthority(Date.now(), 'one'), testAuthority(Date.now(), 'two')]
    const trust = { 'one.local': [one.certificate], 'two.local': [two.certificate] }
    const client = await identityOf(one, 'spiffe://one.local/ns/a/sa/a', trust)
    const server = await identityOf(two, 'spiffe://two.local/ns/b/sa/b', trust)
    expect(await handshake(client, server, ['spiffe://two.local/ns/b/sa/b'])).toMatchObject({ client: 'spiffe://one.local/ns/a/sa/a' })
  })

  it('does not let the CA of one domain speak for another', async () => {
    const [one, two] = [testAuthority(Date.now(), 'one'), testAuthority(Date.now(), 'two')]
    const trust = { 'one.local': [one.certificate], 'two.local': [two.certificate] }
    const liar = await identityOf(two, 'spiffe://one.local/ns/a/sa/admin', trust)
    const server = await identityOf(one, 'spiffe://one.local/ns/b/sa/b', trust)
    await expect(handshake(liar, server, ['spiffe://one.local/ns/b/sa/b'])).rejects.toThrow(
      /not signed by an authority of its trust domain/,
    )
    await expect(handshake(server, liar, ['spiffe://one.local/ns/a/sa/admin'])).rejects.toThrow(/not signed by an authority/)
  })

  it('refuses servers that are somebody else', async () => {
    const ca = testAuthority(Date.now())
    await expect(handshake(await identityOf(ca, WEB), await identityOf(ca, DB), [WEB])).rejects.toThrow(
      /the server is .*sa\/db, expected .*sa\/web/,
    )
  })

  it('refuses an unknown CA', async () => {
    const [ca, other] = [testAuthority(Date.now()), testAuthority(Date.now())]
    const stranger = await identityOf(other, WEB)
    await expect(handshake(stranger, await identityOf(ca, DB), [DB])).rejects.toThrow(/certificate|issuer|unknown ca/i)
  })

  it('refuses certificates that name two workloads, none, or are a CA', async () => {
    const ca = testAuthority(Date.now())
    const server = await identityOf(ca, DB)
    for (const [uris, isCa] of [
      [[WEB, DB], false],
      [[], false],
      [[WEB], true],
    ] as const) {
      const odd = make({
        sign: (csr) =>
          Promise.resolve({
            certificate: ca.sign(csr, { uris, notBefore: Date.now() - 1000, notAfter: Date.now() + HOUR, isCa }),
            trust: { [DOMAIN]: [ca.certificate] },
            spiffeId: WEB,
            issuer: 'ca-1',
          }),
      })
      odd.want({ spiffeId: WEB, issuer: 'ca-1' })
      await odd.whenReady()
      await expect(handshake(odd, server, [DB])).rejects.toThrow(/exactly one|CA certificate|invalid CA|purpose/i)
    }
  })
})

/** A handshake of two proxies over a real connection. @returns whom each has seen */
async function handshake(
  client: WorkloadIdentity,
  server: WorkloadIdentity,
  accepts: readonly string[],
): Promise<{ client: string; server: string }> {
  const [clientSide, serverSide] = [createMeshTls(client), createMeshTls(server)]
  const secureContext = serverSide.serverContext()
  let see: (id: string) => void = () => {}
  let refuse: (error: Error) => void = () => {}
  const seen = new Promise<string>((resolve, reject) => {
    see = resolve
    refuse = reject
  })
  seen.catch(() => {})
  const options: TlsOptions = { requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['biplane'] }
  const listener = createServer({ ...options, SNICallback: (_name, done) => done(null, secureContext) }, (socket) => {
    socket.on('error', () => {})
    try {
      see(serverSide.identify(socket.getPeerX509Certificate() as X509Certificate))
    } catch (error) {
      refuse(error as Error)
    }
  })
  listener.on('tlsClientError', (error: Error) => refuse(error))
  const raw = createTcpServer((socket) => void listener.emit('connection', socket))
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve))
  const tls = clientSide.clientTls({ serverName: 'p80.mesh.biplane', alpn: ['biplane'], accepts })
  if (!tls) throw new Error('the client has no identity')
  const socket = connect({
    port: (raw.address() as { port: number }).port,
    host: '127.0.0.1',
    servername: tls.serverName ?? '',
    secureContext: tls.context,
    ALPNProtocols: [...tls.alpn],
    checkServerIdentity: () => undefined,
  })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject)
      socket.once('secureConnect', resolve)
    })
    const peer = socket.getPeerX509Certificate()
    if (!peer) throw new Error('the server shows no certificate')
    tls.verify(peer)
    return { client: await seen, server: clientSide.identify(peer) }
  } finally {
    socket.destroy()
    raw.close()
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}
