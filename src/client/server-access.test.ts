import { expect, test } from 'vitest'
import { FakeClock } from '../base/fake-clock.ts'
import { mergeKubeconfigs, parseKubeconfig } from './kubeconfig.ts'
import { accessOf, inClusterAccess, kubeconfigPaths, loadKubeconfig, type AccessSources } from './server-access.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

const text = `
apiVersion: v1
kind: Config
current-context: dev
preferences: {}
clusters:
- name: local
  cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: ${base64('CA')}}
- name: remote
  cluster:
    server: https://example.test/k8s/
    certificate-authority: pki/ca.crt
    tls-server-name: api
- name: careless
  cluster: {server: https://careless.test, insecure-skip-tls-verify: true}
users:
- name: admin
  user: {client-certificate-data: ${base64('CERT')}, client-key-data: ${base64('KEY')}}
- name: bot
  user: {token: 0123456789012345678901}
- name: pod
  user: {tokenFile: token, token: ignored}
- name: cloud
  user: {exec: {command: cloud-login}}
- name: basic
  user: {username: u, password: p}
contexts:
- name: dev
  context: {cluster: local, user: admin, namespace: shop}
- name: bots
  context: {cluster: remote, user: bot}
- name: pods
  context: {cluster: careless, user: pod}
- name: clouds
  context: {cluster: local, user: cloud}
- name: basics
  context: {cluster: local, user: basic}
- name: broken
  context: {cluster: nowhere, user: bot}
`

function sources(files: Record<string, string>): AccessSources & { clock: FakeClock; files: Record<string, string> } {
  return { clock: new FakeClock(), files, readFile: (path) => files[path] }
}

const config = parseKubeconfig(text, '/home/me/.kube/config')
const files = { '/home/me/.kube/pki/ca.crt': 'FILE CA', '/home/me/.kube/token': 'first\n' }

test('the current context, with embedded certificates', () => {
  expect(accessOf(config, sources(files))).toEqual({
    context: 'dev',
    namespace: 'shop',
    server: 'https://127.0.0.1:6443',
    ca: 'CA',
    cert: 'CERT',
    key: 'KEY',
  })
})

test('a named context; files lie beside the kubeconfig; a token of digits stays as it is', () => {
  expect(accessOf(config, sources(files), 'bots')).toEqual({
    context: 'bots',
    namespace: 'default',
    server: 'https://example.test/k8s/',
    ca: 'FILE CA',
    tlsServerName: 'api',
    token: '0123456789012345678901',
  })
  expect(accessOf(config, sources(files), 'basics')).toMatchObject({ username: 'u', password: 'p' })
})

test('a token file is read again when it is a minute old, and kept while it is missing', async () => {
  const world = sources({ ...files })
  const access = accessOf(config, world, 'pods')
  expect(access.insecureSkipTlsVerify).toBe(true)
  const token = access.token as () => string
  expect(token()).toBe('first')
  world.files['/home/me/.kube/token'] = 'second'
  await world.clock.advance(59_999)
  expect(token()).toBe('first')
  await world.clock.advance(1)
  expect(token()).toBe('second')
  delete world.files['/home/me/.kube/token']
  await world.clock.advance(60_000)
  expect(token()).toBe('second')
})

test.each([
  ['nothing', 'UnknownContext', /no context "nothing".*dev, bots/],
  ['clouds', 'Unsupported', /exec/],
  ['broken', 'Incomplete', /"nowhere" has no server/],
])('context %s is refused: %s', (context, code, message) => {
  expect(() => accessOf(config, sources(files), context)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  )
})

test('a file that is named but missing is said', () => {
  expect(() => accessOf(config, sources({}), 'bots')).toThrow(expect.objectContaining({ code: 'Incomplete' }))
})

test.each(['- a\n- b', 'a: [', 'just words'])('%j is no kubeconfig', (bad) => {
  expect(() => parseKubeconfig(bad, '/x')).toThrow(expect.objectContaining({ code: 'Malformed' }))
})

test('of several files the first that names something wins', () => {
  const first = parseKubeconfig('contexts: [{name: a, context: {cluster: one, user: u}}]', '/1')
  const second = parseKubeconfig(
    '{current-context: a, contexts: [{name: a, context: {cluster: two, user: u}}, {name: b, context: {cluster: two}}]}',
    '/2',
  )
  const merged = mergeKubeconfigs([first, second])
  expect(merged.currentContext).toBe('a')
  expect(merged.contexts.get('a')?.cluster).toBe('one')
  expect(merged.contexts.get('b')?.cluster).toBe('two')
})

test('empty files are empty kubeconfigs; no file at all is an error', () => {
  expect(loadKubeconfig(['/empty', '/none'], (path) => (path === '/empty' ? '' : undefined)).contexts.size).toBe(0)
  expect(() => loadKubeconfig(['/none'], () => undefined)).toThrow(expect.objectContaining({ code: 'NotFound' }))
})

test('inside a pod the service account is used, outside there is none', () => {
  const mounted = { '/sa/token': 'tok\n', '/sa/ca.crt': 'CA', '/sa/namespace': 'shop' }
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }
  const access = inClusterAccess({ ...sources(mounted), env, dir: '/sa' })
  expect(access).toMatchObject({ server: 'https://[fd00::1]:443', ca: 'CA', namespace: 'shop' })
  const token = access?.token
  expect(typeof token === 'function' && token()).toBe('tok')
  expect(inClusterAccess({ ...sources(mounted), env: {}, dir: '/sa' })).toBeUndefined()
  expect(inClusterAccess({ ...sources({}), env, dir: '/sa' })).toBeUndefined()
})

test('looks where kubectl looks', () => {
  expect(kubeconfigPaths({ explicit: '/x', env: '/a:/b', home: '/home/me' })).toEqual(['/x'])
  expect(kubeconfigPaths({ env: '/a::/b', home: '/home/me' })).toEqual(['/a', '/b'])
  expect(kubeconfigPaths({ env: undefined, home: '/home/me' })).toEqual(['/home/me/.kube/config'])
})
