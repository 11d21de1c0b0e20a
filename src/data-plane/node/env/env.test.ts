import { expect, test, describe } from 'vitest'
import type { ConfigMap, Container, Pod, Secret, Service } from '../../../api/generated/types.ts'
import { containerEnv, type EnvSources } from './container-env.ts'
import { hostsFile } from './hosts-file.ts'
import { linkedServices, serviceEnv } from './service-env.ts'

const maps: Record<string, ConfigMap> = { conf: { metadata: { name: 'conf' }, data: { A: 'map-a', B: 'map-b' } } }
const secrets: Record<string, Secret> = { key: { metadata: { name: 'key' }, data: { B: Buffer.from('secret-b').toString('base64') } } }
const sources: EnvSources = { configMap: async (_ns, name) => maps[name], secret: async (_ns, name) => secrets[name] }
const pod: Pod = { metadata: { name: 'web', namespace: 'shop' }, spec: { containers: [] } }

const env = (container: Partial<Container>): Promise<Record<string, string>> =>
  containerEnv(
    { name: 'c', ...container },
    {
      pod,
      facts: { podIPs: ['10.0.0.9'] },
      imageEnv: { PATH: '/bin', A: 'image' },
      serviceEnv: { DB_SERVICE_HOST: '10.96.0.2', A: 'service' },
    },
    sources,
  )

describe('containerEnv', () => {
  test('what is nearer to the container wins', async () => {
    const from = [{ configMapRef: { name: 'conf' } }, { secretRef: { name: 'key' } }, { prefix: 'P_', configMapRef: { name: 'conf' } }]
    expect(await env({ envFrom: from, env: [{ name: 'A', value: 'own' }] })).toEqual({
      PATH: '/bin',
      DB_SERVICE_HOST: '10.96.0.2',
      A: 'own',
      B: 'secret-b',
      P_A: 'map-a',
      P_B: 'map-b',
    })
  })

  test('$(VAR) sees what came before it', async () => {
    const list = [
      { name: 'ONE', value: '1' },
      { name: 'TWO', value: '$(ONE)2 $(THREE) $$(ONE)' },
      { name: 'THREE', value: '$(TWO)' },
      { name: 'URL', value: 'http://$(DB_SERVICE_HOST)/' },
      { name: 'EMPTY' },
    ]
    expect(await env({ env: list })).toMatchObject({
      TWO: '12 $(THREE) $(ONE)',
      THREE: '12 $(THREE) $(ONE)',
      URL: 'http://10.96.0.2/',
      EMPTY: '',
    })
  })

  test('values from elsewhere', async () => {
    const list = [
      { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'MAP', valueFrom: { configMapKeyRef: { name: 'conf', key: 'A' } } },
      { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'key', key: 'B' } } },
      { name: 'NONE', valueFrom: { configMapKeyRef: { name: 'nope', key: 'A', optional: true } } },
    ]
    const made = await env({ env: list })
    expect(made).toMatchObject({ NAME: 'web', IP: '10.0.0.9', MAP: 'map-a', SECRET: 'secret-b' })
    expect(made).not.toHaveProperty('NONE')
  })

  test.each<[string, Partial<Container>, string]>([
    ['no ConfigMap', { envFrom: [{ configMapRef: { name: 'nope' } }] }, 'configmap "nope" not found'],
    ['no Secret', { envFrom: [{ secretRef: { name: 'nope' } }] }, 'secret "nope" not found'],
    [
      'no ConfigMap for a key',
      { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'nope', key: 'A' } } }] },
      'configmap "nope" not found',
    ],
    [
      'no such key in a ConfigMap',
      { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'conf', key: 'Z' } } }] },
      "couldn't find key Z in ConfigMap shop/conf",
    ],
    [
      'no such key in a Secret',
      { env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'key', key: 'Z' } } }] },
      "couldn't find key Z in Secret shop/key",
    ],
  ])('%s', async (_name, container, message) => {
    await expect(env(container)).rejects.toMatchObject({ reason: 'CreateContainerConfigError', message })
  })
})

const service = (name: string, namespace: string, clusterIP: string, ports: NonNullable<Service['spec']>['ports']): Service => ({
  metadata: { name, namespace },
  spec: { clusterIP, ports },
})
const all = [
  service('my-db', 'shop', '10.96.0.2', [
    { name: 'pg', port: 5432 },
    { name: 'dns-x', port: 53, protocol: 'UDP' },
  ]),
  service('none', 'shop', 'None', [{ port: 80 }]),
  service('far', 'other', '10.96.0.3', [{ port: 80 }]),
  service('kubernetes', 'default', '10.96.0.1', [{ name: 'https', port: 443 }]),
]

test('service variables, with the link form', () => {
  expect(serviceEnv(all.slice(0, 2))).toEqual({
    MY_DB_SERVICE_HOST: '10.96.0.2',
    MY_DB_SERVICE_PORT: '5432',
    MY_DB_SERVICE_PORT_PG: '5432',
    MY_DB_SERVICE_PORT_DNS_X: '53',
    MY_DB_PORT: 'tcp://10.96.0.2:5432',
    MY_DB_PORT_5432_TCP: 'tcp://10.96.0.2:5432',
    MY_DB_PORT_5432_TCP_PROTO: 'tcp',
    MY_DB_PORT_5432_TCP_PORT: '5432',
    MY_DB_PORT_5432_TCP_ADDR: '10.96.0.2',
    MY_DB_PORT_53_UDP: 'udp://10.96.0.2:53',
    MY_DB_PORT_53_UDP_PROTO: 'udp',
    MY_DB_PORT_53_UDP_PORT: '53',
    MY_DB_PORT_53_UDP_ADDR: '10.96.0.2',
  })
})

test.each<[boolean | undefined, string[]]>([
  [undefined, ['my-db', 'none', 'kubernetes']],
  [false, ['kubernetes']],
])('enableServiceLinks %s: a pod hears of %j', (enableServiceLinks, want) => {
  const asking = { ...pod, spec: { containers: [], enableServiceLinks } }
  expect(linkedServices(asking, all).map(({ metadata }) => metadata.name)).toEqual(want)
})

test('the hosts file names services as cluster DNS does', () => {
  const spec = { containers: [], subdomain: 'sub', hostAliases: [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }] }
  expect(
    hostsFile({ ...pod, spec }, all, { podIPs: ['10.0.0.9'], clusterDomain: 'cluster.local' })
      .split('\n')
      .slice(1),
  ).toEqual([
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    '10.0.0.9\tweb\tweb.sub.shop.svc.cluster.local',
    '1.2.3.4\ta\tb',
    '10.96.0.1\tkubernetes.default.svc.cluster.local\tkubernetes.default.svc\tkubernetes.default',
    '10.96.0.3\tfar.other.svc.cluster.local\tfar.other.svc\tfar.other',
    '10.96.0.2\tmy-db.shop.svc.cluster.local\tmy-db.shop.svc\tmy-db.shop\tmy-db',
    '',
  ])
})
