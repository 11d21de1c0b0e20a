import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { createRequest, encodePem } from '../../../protocols/x509/index.ts'
import type { VerifiedToken } from '../../pki/index.ts'
import { MeshAuthorities, type StoredAuthority } from '../../pki/mesh/index.ts'
import { authenticateProxy, RefusedProxy, signCertificate, SigningError, type Credentials } from './index.ts'

const DOMAIN = 'default.mesh.local'
const TOKENS: Readonly<Record<string, Partial<VerifiedToken>>> = {
  web: { namespace: 'shop', serviceAccount: { name: 'web', uid: 's' }, pod: { name: 'web-1', uid: 'u1' } },
  old: { namespace: 'shop', serviceAccount: { name: 'web', uid: 's' }, pod: { name: 'web-1', uid: 'u0' } },
  free: { namespace: 'shop', serviceAccount: { name: 'web', uid: 's' } },
}
const options = {
  identify: (token: string, audience: string) =>
    Promise.resolve(audience === 'biplane.dev/mesh' ? (TOKENS[token] as VerifiedToken | undefined) : undefined),
  podOf: (namespace: string, name: string) =>
    namespace === 'shop' && name === 'web-1'
      ? { metadata: { name, namespace, uid: 'u1' }, spec: { nodeName: 'a', containers: [] } }
      : undefined,
  trustDomain: () => DOMAIN,
}
const WEB = { namespace: 'shop', serviceAccount: 'web', pod: { name: 'web-1', uid: 'u1', node: 'a' } }

describe('who a stream comes from', () => {
  it.each<[string, Credentials, unknown]>([
    ['a pod through the agent of its node', { node: 'a', authorization: 'Bearer web' }, WEB],
    ['a pod by itself', { authorization: 'Bearer web' }, WEB],
    ['a workload by its certificate', { spiffeId: `spiffe://${DOMAIN}/ns/shop/sa/db` }, { namespace: 'shop', serviceAccount: 'db' }],
  ])('%s', async (_, credentials, expected) => expect(await authenticateProxy(credentials, options)).toEqual(expected))

  it.each<[string, Credentials, string, RegExp]>([
    [
      'a token that was carried to another node',
      { node: 'b', authorization: 'Bearer web' },
      'PermissionDenied',
      /runs on node "a", its token came from node "b"/,
    ],
    ['a token of a pod that was replaced', { node: 'a', authorization: 'Bearer old' }, 'PermissionDenied', /not known/],
    ['a token of no pod', { node: 'a', authorization: 'Bearer free' }, 'PermissionDenied', /not bound to a pod/],
    ['a token nobody made', { node: 'a', authorization: 'Bearer x' }, 'Unauthenticated', /not good/],
    ['no token', { node: 'a' }, 'Unauthenticated', /is needed/],
    [
      'a node that shows a workload certificate instead of a token',
      { node: 'a', spiffeId: `spiffe://${DOMAIN}/ns/shop/sa/db` },
      'Unauthenticated',
      /is needed/,
    ],
    ['another way to authenticate', { authorization: 'Basic d2Vi' }, 'Unauthenticated', /not good/],
    ['a certificate of another domain', { spiffeId: 'spiffe://other/ns/shop/sa/db' }, 'PermissionDenied', /not of trust domain/],
    ['a certificate of no account', { spiffeId: `spiffe://${DOMAIN}/db` }, 'PermissionDenied', /no service account/],
  ])('%s is refused', async (_, credentials, code, message) => {
    const refused = await authenticateProxy(credentials, options).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(RefusedProxy)
    expect(refused).toMatchObject({ code, message: expect.stringMatching(message) as unknown })
  })
})

describe('certificates', () => {
  let kept: readonly StoredAuthority[] = []
  const authorities = new MeshAuthorities({
    trustDomain: DOMAIN,
    store: {
      load: () => Promise.resolve({ authorities: kept, version: '' }),
      save: (next) => {
        kept = next
        return Promise.resolve(true)
      },
    },
    clock: new FakeClock(),
    log: silentLogger,
    unconfirmed: () => [],
  })
  const parts = { authorities, trust: () => ({ [DOMAIN]: authorities.state?.bundle ?? [] }) }
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const csr = encodePem('CERTIFICATE REQUEST', createRequest({ subject: { commonName: 'root' } }, keys))

  it('are not to be had before there is an authority', () => {
    expect(() => signCertificate(Buffer.from(JSON.stringify({ csr })), WEB, parts)).toThrow(/no certificate authority yet/)
  })

  describe('once there is one', () => {
    beforeAll(() => authorities.start())

    it('name who asks, not what the request says', () => {
      const answer = signCertificate(Buffer.from(JSON.stringify({ csr })), WEB, parts)
      expect(new X509Certificate(answer.certificate).subjectAltName).toBe(`URI:spiffe://${DOMAIN}/ns/shop/sa/web`)
      expect(answer.trust[DOMAIN]).toHaveLength(1)
    })

    it('are refused for everything that is no request', () => {
      fc.assert(
        fc.property(
          fc.oneof(
            fc.uint8Array(),
            fc.json().map((text) => Buffer.from(text)),
            fc.string().map((text) => Buffer.from(JSON.stringify({ csr: text }))),
          ),
          (body) => {
            expect(() => signCertificate(body, WEB, parts)).toThrow(SigningError)
          },
        ),
      )
      expect(() => signCertificate(Buffer.from(JSON.stringify({ csr: 'x'.repeat(20_000) })), WEB, parts)).toThrow(SigningError)
    })
  })
})
