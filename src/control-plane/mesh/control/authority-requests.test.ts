import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLogger } from '../../../base/log.ts'
import { events } from '../../../api/core/v1/event.ts'
import { secrets } from '../../../api/core/v1/secret.ts'
import { FakeClock, startTestCluster, type TestCluster } from '../../../testing/index.ts'
import { authorityId, createAuthority, MeshAuthorities, secretAuthorityStore, SYSTEM_NAMESPACE } from '../../pki/mesh/index.ts'
import { addAuthorityRequests, BROUGHT_AUTHORITY, ROTATE_ANNOTATION } from './authority-requests.ts'

const DOMAIN = 'default.mesh.local'
const KEPT = `mesh-ca.${DOMAIN}`
const inSystem = { namespace: SYSTEM_NAMESPACE }

let clock: FakeClock
let cluster: TestCluster
let authorities: MeshAuthorities
let unconfirmed: { readonly proxy: string; readonly lastSeenMs: number }[]
let stop: AbortController

beforeEach(async () => {
  clock = new FakeClock()
  cluster = await startTestCluster({ clock, namespaces: [SYSTEM_NAMESPACE] })
  stop = new AbortController()
  unconfirmed = []
  authorities = new MeshAuthorities({
    trustDomain: DOMAIN,
    store: secretAuthorityStore(cluster.client, DOMAIN),
    clock,
    log: silentLogger,
    unconfirmed: () => unconfirmed,
  })
  await authorities.start()
  const manager = cluster.manager()
  addAuthorityRequests(manager, () => authorities)
  void manager.run(stop.signal)
  await clock.advance(1_000)
})
afterEach(async () => {
  stop.abort()
  authorities.stop()
  await cluster.stop()
})

const base64 = (text: string): string => Buffer.from(text).toString('base64')

test('the annotation starts a rotation, which waits for all proxies, and is gone', async () => {
  const before = authorities.state?.issuer
  unconfirmed = [{ proxy: 'p.default', lastSeenMs: clock.now() }]
  await cluster.client
    .of(secrets)
    .patch(KEPT, { metadata: { annotations: { [ROTATE_ANNOTATION]: 'now' } } }, { type: 'merge', ...inSystem })
  await clock.advance(1_000)
  expect(authorities.state).toMatchObject({ issuer: before, phase: 'AddingTrust', waitingFor: ['p.default'] })
  expect(authorities.state?.bundle).toHaveLength(2)
  expect((await cluster.client.of(secrets).get(KEPT, inSystem)).metadata.annotations).toBeUndefined()
  unconfirmed = []
  await authorities.confirm()
  expect(authorities.state?.issuer).not.toBe(before)
  // one that is asked for once is made once
  await clock.advance(120_000)
  expect(authorities.state?.bundle).toHaveLength(2)
})

test('an authority that is brought along takes over, and another one after it', async () => {
  for (const _ of [1, 2]) {
    const files = createAuthority({ trustDomain: DOMAIN, nowMs: clock.now() })
    const data = { 'tls.crt': base64(files.certificate), 'tls.key': base64(files.privateKey) }
    await cluster.client
      .of(secrets)
      .delete(BROUGHT_AUTHORITY, inSystem)
      .catch(() => {})
    await cluster.client.of(secrets).create({ metadata: { name: BROUGHT_AUTHORITY, ...inSystem }, type: 'kubernetes.io/tls', data })
    await clock.advance(120_000)
    await authorities.confirm()
    expect(authorities.state?.issuer).toBe(authorityId(files.certificate))
  }
})

test('an authority that cannot be used is refused by an event that says why, and what signs goes on', async () => {
  const before = authorities.state?.issuer
  const files = createAuthority({ trustDomain: 'another.domain', nowMs: clock.now() })
  const data = { 'tls.crt': base64(files.certificate), 'tls.key': base64(files.privateKey) }
  await cluster.client.of(secrets).create({ metadata: { name: BROUGHT_AUTHORITY, ...inSystem }, type: 'kubernetes.io/tls', data })
  await clock.advance(2_000)
  expect(authorities.state?.issuer).toBe(before)
  const [told] = (await cluster.client.of(events).list(inSystem)).items
  expect(told).toMatchObject({ reason: 'AuthorityRefused', type: 'Warning', involvedObject: { name: BROUGHT_AUTHORITY } })
  expect(told?.message).toContain('another.domain')
})
