import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { createMemoryStore, type Store } from '../../store/index.ts'
import type { ServerRequest } from '../contract.ts'
import { createTokenIssuer } from './service-account-tokens.ts'

const ISSUER = 'https://issuer.test'
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })

interface Issuer extends AsyncDisposable {
  readonly clock: FakeClock
  readonly store: Store
  put(plural: string, name: string, uid: string): Promise<void>
  drop(plural: string, name: string): Promise<void>
  ask(spec?: unknown, account?: string): Promise<string>
  believe(token: string): Promise<string | undefined>
}

async function start(): Promise<Issuer> {
  const clock = new FakeClock()
  const store = createMemoryStore({ clock })
  const issuer = createTokenIssuer({ pki: { serviceAccountKey: keys }, store, clock, issuer: ISSUER })
  const key = (plural: string, name: string): string => `/registry/core/${plural}/default/${name}`
  const put = async (plural: string, name: string, uid: string): Promise<void> =>
    void (await store.txn(
      [],
      [{ type: 'put', key: key(plural, name), value: Buffer.from(JSON.stringify({ metadata: { name, namespace: 'default', uid } })) }],
      [],
    ))
  await put('serviceaccounts', 'robot', 'robot-1')
  await put('pods', 'web', 'web-1')
  return {
    clock,
    store,
    put,
    drop: async (plural, name) => void (await store.txn([], [{ type: 'delete', key: key(plural, name) }], [])),
    async ask(spec, account = 'robot') {
      const path = `/api/v1/namespaces/default/serviceaccounts/${account}/token`
      const request = { method: 'POST', path, body: { spec }, user: { name: 'admin', groups: [] } } as unknown as ServerRequest
      const { body } = await issuer.handler(request)
      return (body as unknown as { value: { status: { token: string } } }).value.status.token
    },
    believe: async (token) => (await issuer.verify(token))?.name,
    [Symbol.asyncDispose]: () => store.close(),
  }
}

const NAME = 'system:serviceaccount:default:robot'

test('a token is believed until it expires, and while its account is the same', async () => {
  await using issuer = await start()
  const token = await issuer.ask({ expirationSeconds: 600 })
  expect(await issuer.believe(token)).toBe(NAME)
  await issuer.put('serviceaccounts', 'robot', 'robot-2')
  expect(await issuer.believe(token)).toBeUndefined()
  await issuer.put('serviceaccounts', 'robot', 'robot-1')
  expect(await issuer.believe(token)).toBe(NAME)
  await issuer.clock.advance(601_000)
  expect(await issuer.believe(token)).toBeUndefined()
})

test('a token bound to a pod ends with the pod', async () => {
  await using issuer = await start()
  const token = await issuer.ask({ boundObjectRef: { kind: 'Pod', name: 'web', uid: 'web-1' } })
  expect(await issuer.believe(token)).toBe(NAME)
  await issuer.put('pods', 'web', 'web-2')
  expect(await issuer.believe(token)).toBeUndefined()
  await issuer.drop('pods', 'web')
  expect(await issuer.believe(token)).toBeUndefined()
})

test('a token for somebody else is not for us, and text is no token', async () => {
  await using issuer = await start()
  expect(await issuer.believe(await issuer.ask({ audiences: ['vault'] }))).toBeUndefined()
  for (const text of ['', 'a.b.c', 'nonsense']) expect(await issuer.believe(text)).toBeUndefined()
})

test.each<[string, unknown, string, string]>([
  ['an account that is not there', {}, 'nobody', 'NotFound'],
  ['too short a life', { expirationSeconds: 60 }, 'robot', 'Invalid'],
  ['too long a life', { expirationSeconds: 2 ** 33 }, 'robot', 'Invalid'],
  ['half a second', { expirationSeconds: 600.5 }, 'robot', 'Invalid'],
  ['a pod that is not there', { boundObjectRef: { kind: 'Pod', name: 'gone' } }, 'robot', 'NotFound'],
  ['a pod that was replaced', { boundObjectRef: { kind: 'Pod', name: 'web', uid: 'web-0' } }, 'robot', 'Conflict'],
  ['something else', { boundObjectRef: { kind: 'Secret', name: 'x' } }, 'robot', 'BadRequest'],
])('refuses a token for %s', async (_name, spec, account, reason) => {
  await using issuer = await start()
  await expect(issuer.ask(spec, account)).rejects.toMatchObject({ reason })
})
