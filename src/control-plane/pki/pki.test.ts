import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { FakeClock } from '../../base/fake-clock.ts'
import { isRenewalDue } from './plan-certificates.ts'
import { type KeyPair, loadOrCreatePki, type Pki, PkiError } from './pki.ts'

const DAY = 86_400_000
let dir: string
beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'biplane-pki-')), 'pki')
})
afterEach(() => rmSync(join(dir, '..'), { recursive: true }))

const load = (clock = new FakeClock(), hosts: readonly string[] = ['box.local', '192.168.1.5']): Promise<Pki> =>
  loadOrCreatePki(dir, { clock, hosts })
const parse = (pair: KeyPair): X509Certificate => new X509Certificate(pair.certificate)

describe('loadOrCreatePki', () => {
  test('makes a CA, a serving certificate for every name in use, and an administrator', async () => {
    const clock = new FakeClock()
    const pki = await load(clock)
    const ca = new X509Certificate(pki.caCertificate)
    expect(ca.ca && ca.verify(ca.publicKey)).toBe(true)
    expect(Date.parse(ca.validTo)).toBe(clock.now() + 3650 * DAY)
    const serving = parse(pki.serving)
    expect(serving.checkIssued(ca) && serving.verify(ca.publicKey)).toBe(true)
    for (const host of [
      'localhost',
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      'kubernetes.default.svc.cluster.local',
      'box.local',
    ]) {
      expect(serving.checkHost(host), host).toBe(host)
    }
    for (const ip of ['127.0.0.1', '::1', '10.96.0.1', '192.168.1.5']) expect(serving.checkIP(ip), ip).toBe(ip)
    expect(Date.parse(serving.validFrom)).toBe(clock.now() - 5 * 60_000)
    expect(Date.parse(serving.validTo)).toBe(clock.now() + 365 * DAY)
    expect(parse(pki.admin).subject).toBe('O=system:masters\nCN=biplane-admin')
    expect(pki.caCertificateHash).toMatch(/^sha256:[0-9a-f]{64}$/)
  })

  test('keeps everything over a restart', async () => {
    const first = await load()
    const second = await load()
    expect([second.caCertificate, second.serving, second.admin]).toEqual([first.caCertificate, first.serving, first.admin])
    expect(second.serviceAccountKey.publicKey.equals(first.serviceAccountKey.publicKey)).toBe(true)
    expect(await second.renew()).toBe(false)
  })

  test('only the owner can read the files, even where the directory was open before', async () => {
    await load()
    chmodSync(dir, 0o755)
    await load()
    expect(statSync(dir).mode & 0o777).toBe(0o700)
    const files = readdirSync(dir).sort()
    expect(files).toEqual(['admin.crt', 'admin.key', 'apiserver.crt', 'apiserver.key', 'ca.crt', 'ca.key', 'sa.key', 'sa.pub'])
    for (const file of files) expect(statSync(join(dir, file)).mode & 0o777, file).toBe(0o600)
  })

  test('a new host gives a new serving certificate and leaves the rest', async () => {
    const first = await load()
    const second = await load(new FakeClock(), ['other.local'])
    expect(parse(second.serving).checkHost('other.local')).toBe('other.local')
    expect([second.caCertificate, second.admin]).toEqual([first.caCertificate, first.admin])
  })

  test('certificates are renewed when less than a third of their life is left', async () => {
    const clock = new FakeClock()
    const pki = await load(clock)
    const before = pki.serving
    await clock.advance(240 * DAY)
    expect(await pki.renew()).toBe(false)
    await clock.advance(5 * DAY)
    expect(await pki.renew()).toBe(true)
    expect(Date.parse(parse(pki.serving).validTo)).toBe(clock.now() + 365 * DAY)
    expect((await load(clock)).serving).toEqual(pki.serving)
    expect(before).not.toEqual(pki.serving)
  })

  test('a renewed CA keeps its key, so that what it signed stays valid', async () => {
    const clock = new FakeClock()
    const first = await load(clock)
    await clock.advance(8 * 365 * DAY)
    const second = await load(clock)
    expect(second.caCertificate).not.toBe(first.caCertificate)
    expect(second.caCertificateHash).toBe(first.caCertificateHash)
    expect(parse(first.serving).checkIssued(new X509Certificate(second.caCertificate))).toBe(true)
  })

  test('broken leaf files are made again; a broken or halved CA is refused and left as it is', async () => {
    await load()
    writeFileSync(join(dir, 'apiserver.crt'), 'garbage')
    rmSync(join(dir, 'admin.key'))
    const pki = await load()
    expect(parse(pki.serving).checkHost('localhost')).toBe('localhost')
    expect(parse(pki.admin).subject).toContain('biplane-admin')

    const key = readFileSync(join(dir, 'ca.key'), 'utf8')
    writeFileSync(join(dir, 'ca.key'), 'garbage')
    await expect(load()).rejects.toThrow(PkiError)
    expect(readFileSync(join(dir, 'ca.key'), 'utf8')).toBe('garbage')
    rmSync(join(dir, 'ca.key'))
    await expect(load()).rejects.toThrow(/ca\.key: put the key back/)
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    writeFileSync(join(dir, 'ca.key'), other.export({ type: 'pkcs8', format: 'pem' }))
    await expect(load()).rejects.toThrow(/not the one in the certificate/)
    // a crash after the key and before the certificate
    writeFileSync(join(dir, 'ca.key'), key)
    rmSync(join(dir, 'ca.crt'))
    expect((await load()).caCertificateHash).toBe(pki.caCertificateHash)
  })

  test('signs for users and servers, never beyond the life of the CA', async () => {
    const clock = new FakeClock()
    const pki = await load(clock)
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const user = new X509Certificate(pki.signClientCertificate({ commonName: 'jane', organizations: ['dev', 'ops'], publicKey, days: 1 }))
    expect(user.subject).toBe('O=dev\nO=ops\nCN=jane')
    expect(user.checkPrivateKey(privateKey)).toBe(true)
    expect(Date.parse(user.validTo)).toBe(clock.now() + DAY)
    expect(user.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    const long = new X509Certificate(pki.signClientCertificate({ commonName: 'jane', organizations: [], publicKey, days: 99_999 }))
    expect(long.validTo).toBe(new X509Certificate(pki.caCertificate).validTo)
    const server = new X509Certificate(
      pki.signServingCertificate({ commonName: 'n1', organizations: [], publicKey, days: 1, hosts: ['N1.local', '10.0.0.1'] }),
    )
    expect([server.checkHost('n1.local'), server.checkIP('10.0.0.1'), server.keyUsage]).toEqual([
      'n1.local',
      '10.0.0.1',
      ['1.3.6.1.5.5.7.3.1'],
    ])
  })

  test('carries a mutual TLS handshake', async () => {
    const pki = await loadOrCreatePki(dir, { clock: systemClock, hosts: [] })
    const server = createServer({
      key: pki.serving.privateKey,
      cert: pki.serving.certificate,
      ca: pki.caCertificate,
      requestCert: true,
      rejectUnauthorized: true,
    })
    server.on('secureConnection', (socket: TLSSocket) => socket.end(String(socket.getPeerCertificate().subject.CN)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = server.address() as { port: number }
      const socket = connect({ port, host: '127.0.0.1', key: pki.admin.privateKey, cert: pki.admin.certificate, ca: pki.caCertificate })
      let text = ''
      for await (const chunk of socket) text += String(chunk)
      expect(text).toBe('biplane-admin')
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })
})

test('renewal is due in the last third, and when the clock stands before the beginning', () => {
  const certificate = { notBefore: 0, notAfter: 300 }
  expect([-1, 0, 200, 201, 400].map((now) => isRenewalDue(certificate, now))).toEqual([true, false, false, true, true])
})
