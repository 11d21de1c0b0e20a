import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { createAuthenticator, type Credentials } from './authenticator.ts'
import type { ClientCertificate } from './client-certificate.ts'
import { impersonate } from './impersonation.ts'
import { parseTokenFile } from './token-file.ts'

const START = Date.UTC(2026, 0, 1)
const clock = new FakeClock(START)
const authenticator = createAuthenticator({
  clock,
  tokens: parseTokenFile('# admins\n\nsecret,admin,u1,"system:masters,dev"\nplain,jane,u2\n'),
  bootstrapToken: (id) => Promise.resolve(id === 'abcdef' ? { secret: '0123456789abcdef', expiresAtMs: START + 1000 } : undefined),
  verifyServiceAccountToken: (token) =>
    Promise.resolve(token === 'a.b.c' ? { name: 'system:serviceaccount:d:robot', groups: ['system:serviceaccounts'] } : undefined),
})
const certificate = (change: Partial<ClientCertificate>): ClientCertificate => ({
  commonName: 'root',
  organizations: ['ops'],
  notBeforeMs: START - 1,
  notAfterMs: START + 1,
  trusted: true,
  ...change,
})

test.each<[string, Credentials, string | undefined]>([
  ['nothing', {}, undefined],
  ['a certificate', { certificate: certificate({}) }, 'root ops system:authenticated'],
  ['a static token', { bearerToken: 'secret' }, 'admin system:masters dev system:authenticated'],
  ['a static token without groups', { bearerToken: 'plain' }, 'jane system:authenticated'],
  ['a join token', { bearerToken: 'abcdef.0123456789abcdef' }, 'system:bootstrap:abcdef system:bootstrappers system:authenticated'],
  ['a service account token', { bearerToken: 'a.b.c' }, 'system:serviceaccount:d:robot system:serviceaccounts system:authenticated'],
  [
    'a stale certificate beside a good token',
    { certificate: certificate({ notAfterMs: 0 }), bearerToken: 'plain' },
    'jane system:authenticated',
  ],
])('%s', async (_what, credentials, who) => {
  const user = await authenticator.authenticate(credentials)
  expect(user && [user.name, ...user.groups].join(' ')).toBe(who)
})

test.each<[string, Credentials]>([
  ['a certificate of somebody else', { certificate: certificate({ trusted: false }) }],
  ['a certificate that is over', { certificate: certificate({ notAfterMs: START - 1 }) }],
  ['a certificate that has not begun', { certificate: certificate({ notBeforeMs: START + 1 }) }],
  ['an unknown token', { bearerToken: 'nobody' }],
  ['an empty token', { bearerToken: '' }],
  ['the id of a join token with another secret', { bearerToken: 'abcdef.0123456789abcdee' }],
  ['an unknown join token', { bearerToken: 'abcdeg.0123456789abcdef' }],
  ['a forged service account token', { bearerToken: 'a.b.x' }],
])('%s is Unauthorized and nothing more', async (_what, credentials) => {
  await expect(authenticator.authenticate(credentials)).rejects.toMatchObject({ reason: 'Unauthorized', message: 'Unauthorized' })
})

test('a join token ends', async () => {
  const late = new FakeClock(START + 1000)
  const strict = createAuthenticator({
    clock: late,
    bootstrapToken: () => Promise.resolve({ secret: '0123456789abcdef', expiresAtMs: START + 1000 }),
  })
  expect(await strict.authenticateToken('abcdef.0123456789abcdef')).toBeUndefined()
})

test('a token file with a broken line names it', () => {
  expect(() => parseTokenFile('a,b,c\nonly\n')).toThrow('line 2')
})

const MASTER = { name: 'admin', groups: ['system:masters'] }

test('impersonation reads user, groups, uid and extra', () => {
  const headers = [
    'Impersonate-User',
    'bob',
    'Impersonate-Group',
    'a',
    'impersonate-group',
    'b',
    'Impersonate-Uid',
    'u',
    'Impersonate-Extra-scopes',
    'x',
  ]
  expect(impersonate(MASTER, headers)).toMatchObject({
    name: 'bob',
    uid: 'u',
    groups: ['a', 'b', 'system:authenticated'],
    extra: { scopes: ['x'] },
  })
  expect(impersonate(MASTER, ['accept', 'x'])).toBe(MASTER)
})

test('impersonation without a user or without the right is refused', () => {
  expect(() => impersonate(MASTER, ['impersonate-group', 'a'])).toThrow(expect.objectContaining({ reason: 'BadRequest' }))
  expect(() => impersonate({ name: 'jane', groups: ['system:authenticated'] }, ['impersonate-user', 'bob'])).toThrow(
    expect.objectContaining({ reason: 'Forbidden' }),
  )
  expect(() => impersonate({ name: 'jane', groups: [] }, ['impersonate-extra-__proto__', 'x'])).toThrow(
    expect.objectContaining({ reason: 'Forbidden' }),
  )
})
