import fc from 'fast-check'
import { expect, test } from 'vitest'
import { silentLogger } from '../../../base/log.ts'
import { services } from '../../../api/core/v1/service.ts'
import type { Service } from '../../../api/generated/types.ts'
import type { Draft } from '../../../api/meta/object.ts'
import { createClient } from '../../../client/create-client.ts'
import type { Client } from '../../../client/client.ts'
import { FakeClock } from '../../../base/fake-clock.ts'
import { createMetrics } from '../../../base/metrics.ts'
import { BUILT_IN_KINDS } from '../../../api/registry.ts'
import { namespaces } from '../../../api/core/v1/namespace.ts'
import { createMemoryStore, type Store } from '../../store/index.ts'
import { createResourceHandler } from '../handlers/index.ts'
import { createApiServer, LOOPBACK_USER } from '../index.ts'
import { repairAllocations } from './repair-allocations.ts'
import { createServiceAllocator, NODE_PORTS, SERVICE_IPS } from './service-allocator.ts'

const inDefault = { namespace: 'default' }
const service = (name: string, spec: Partial<NonNullable<Service['spec']>> = {}): Draft<Service> => ({
  metadata: { name, namespace: 'default' },
  spec: { selector: { app: name }, ports: [{ port: 80 }], ...spec },
})

interface Servers extends AsyncDisposable {
  readonly store: Store
  /** One for each API server on the store. */
  readonly clients: readonly Client[]
}

async function start(
  options: {
    readonly servers?: number
    readonly cidr?: string
    readonly nodePorts?: { from: number; to: number }
    readonly store?: Store
  } = {},
): Promise<Servers> {
  const clock = new FakeClock()
  const store = options.store ?? createMemoryStore({ clock })
  let state = 7
  const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
  const closing: (() => Promise<void>)[] = []
  const clients: Client[] = []
  for (let i = 0; i < (options.servers ?? 1); i++) {
    const allocator = await createServiceAllocator({
      store,
      serviceCidr: options.cidr ?? '10.96.0.0/24',
      random,
      ...(options.nodePorts ? { nodePorts: options.nodePorts } : {}),
    })
    const parts = { clock, log: silentLogger, metrics: createMetrics() }
    let uid = 0
    const resources = createResourceHandler({
      store,
      kinds: BUILT_IN_KINDS,
      random,
      uuid: () => `uid-${i}-${uid++}`,
      admission: [allocator],
      ...parts,
    })
    const api = createApiServer({ resources: resources.handle, kinds: () => BUILT_IN_KINDS, ...parts })
    clients.push(createClient(api.inProcess(LOOPBACK_USER)))
    closing.push(async () => {
      await resources.close()
      await api.stop({ graceMs: 0 })
    })
  }
  if (!options.store) await clients[0]!.of(namespaces).create({ metadata: { name: 'default' } })
  return {
    store,
    clients,
    async [Symbol.asyncDispose]() {
      for (const close of closing) await close()
      if (!options.store) await store.close()
    },
  }
}
const claims = async (store: Store, prefix: string): Promise<string[]> =>
  (await store.list(prefix)).items.map(({ key }) => key.slice(prefix.length))

test('gives an address, keeps it over updates, and takes it back', async () => {
  await using servers = await start()
  const api = servers.clients[0]!.of(services)
  const made = await api.create(service('web'))
  const ip = made.spec?.clusterIP as string
  expect(ip).toMatch(/^10\.96\.0\.\d+$/)
  expect(made.spec).toMatchObject({ clusterIPs: [ip], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' })
  const { clusterIP: _ip, clusterIPs: _ips, ...rest } = made.spec!
  const updated = await api.update({ ...made, spec: { ...rest, ports: [{ port: 81 }] } })
  expect(updated.spec?.clusterIP).toBe(ip)
  expect(await claims(servers.store, SERVICE_IPS)).toEqual([ip])
  await api.delete('web', inDefault)
  expect(await claims(servers.store, SERVICE_IPS)).toEqual([])
})

test('node ports come and go with the type', async () => {
  await using servers = await start({ nodePorts: { from: 30_000, to: 30_001 } })
  const api = servers.clients[0]!.of(services)
  const made = await api.create(
    service('web', {
      type: 'NodePort',
      ports: [
        { name: 'a', port: 1 },
        { name: 'b', port: 2 },
      ],
    }),
  )
  const ports = made.spec?.ports?.map((port) => port.nodePort)
  expect(ports?.toSorted()).toEqual([30_000, 30_001])
  await expect(api.create(service('more', { type: 'NodePort' }))).rejects.toMatchObject({
    reason: 'Invalid',
    message: expect.stringContaining('range is full'),
  })
  // nothing of what was refused stays
  expect((await claims(servers.store, SERVICE_IPS)).length).toBe(1)
  const plain = await api.update({ ...made, spec: { ...made.spec!, type: 'ClusterIP' } })
  expect(plain.spec?.ports?.map((port) => port.nodePort)).toEqual([undefined, undefined])
  expect(await claims(servers.store, NODE_PORTS)).toEqual([])
  expect((await api.create(service('more', { type: 'NodePort' }))).spec?.ports?.[0]?.nodePort).toBeGreaterThanOrEqual(30_000)
})

test.each<[string, Partial<NonNullable<Service['spec']>>, string]>([
  [
    'taken',
    { clusterIP: '10.96.0.9' },
    'spec.clusterIPs: Invalid value: ["10.96.0.9"]: failed to allocate IP 10.96.0.9: provided IP is already allocated',
  ],
  ['outside', { clusterIP: '10.97.0.9' }, 'the provided IP (10.97.0.9) is not in the valid range. The range of valid IPs is 10.96.0.0/24'],
  ['the network itself', { clusterIP: '10.96.0.0' }, 'is not in the valid range'],
  [
    'a taken port',
    { type: 'NodePort', ports: [{ port: 1, nodePort: 30_080 }] },
    'spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated',
  ],
  [
    'a port outside',
    { type: 'NodePort', ports: [{ port: 1, nodePort: 80 }] },
    'spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
  ],
  ['IPv6', { ipFamilies: ['IPv6'] }, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
  ['two families', { ipFamilyPolicy: 'RequireDualStack' }, 'this cluster is not configured for dual-stack services'],
])('refuses what is %s, and says so', async (_name, spec, message) => {
  await using servers = await start()
  const api = servers.clients[0]!.of(services)
  await api.create(service('first', { type: 'NodePort', clusterIP: '10.96.0.9', ports: [{ port: 1, nodePort: 30_080 }] }))
  await expect(api.create(service('second', spec))).rejects.toMatchObject({ reason: 'Invalid', message: expect.stringContaining(message) })
  // and nothing is left behind: the first can still go and come
  await api.delete('first', inDefault)
  await api.create(service('third', { clusterIP: '10.96.0.9' }))
})

test('headless and external services take nothing; a change to external gives back', async () => {
  await using servers = await start()
  const api = servers.clients[0]!.of(services)
  const headless = await api.create(service('headless', { clusterIP: 'None' }))
  expect(headless.spec).toMatchObject({ clusterIP: 'None', clusterIPs: ['None'] })
  await api.create(service('external', { type: 'ExternalName', externalName: 'example.com' }))
  expect(await claims(servers.store, SERVICE_IPS)).toEqual([])
  const made = await api.create(service('web'))
  const external = await api.update({ ...made, spec: { ...made.spec!, type: 'ExternalName', externalName: 'example.com' } })
  expect(external.spec?.clusterIP ?? '').toBe('')
  expect(await claims(servers.store, SERVICE_IPS)).toEqual([])
})

const DUAL = '10.96.0.0/24,fd00:10:96::/112'

test('a second address comes and goes with the policy', async () => {
  await using servers = await start({ cidr: DUAL })
  const api = servers.clients[0]!.of(services)
  const made = await api.create(service('web'))
  const v4 = made.spec?.clusterIP ?? ''
  const merge = { type: 'merge', ...inDefault } as const
  const grown = await api.patch('web', { spec: { ipFamilyPolicy: 'PreferDualStack' } }, merge)
  expect(grown.spec).toMatchObject({ clusterIP: v4, ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack' })
  const v6 = grown.spec?.clusterIPs?.[1] as string
  expect(v6).toMatch(/^fd00:10:96::[\da-f]+$/)
  expect((await claims(servers.store, SERVICE_IPS)).toSorted()).toEqual([v4, v6])
  const shrunk = await api.patch('web', { spec: { ipFamilyPolicy: 'SingleStack' } }, merge)
  expect(shrunk.spec).toMatchObject({ clusterIP: v4, clusterIPs: [v4], ipFamilies: ['IPv4'] })
  expect(await claims(servers.store, SERVICE_IPS)).toEqual([v4])
})

test('an address of either family can be asked for, however it is spelled', async () => {
  await using servers = await start({ cidr: DUAL })
  const api = servers.clients[0]!.of(services)
  const made = await api.create(service('web', { clusterIPs: ['fd00:10:96:0::0a'], ipFamilyPolicy: 'RequireDualStack' }))
  expect(made.spec).toMatchObject({ ipFamilies: ['IPv6', 'IPv4'], clusterIP: 'fd00:10:96:0::0a' })
  expect(await claims(servers.store, SERVICE_IPS)).toContain('fd00:10:96::a')
  await expect(api.create(service('twin', { clusterIPs: ['fd00:10:96::a'] }))).rejects.toMatchObject({
    message: expect.stringContaining('failed to allocate IP fd00:10:96::a: provided IP is already allocated'),
  })
  await expect(api.create(service('far', { clusterIPs: ['fd00:10:97::a'] }))).rejects.toMatchObject({
    message: expect.stringContaining('The range of valid IPs is fd00:10:96::/112'),
  })
})

test('addresses for choices by hand are given out last', async () => {
  await using servers = await start({ cidr: '10.96.0.0/26' })
  const api = servers.clients[0]!.of(services)
  for (let i = 0; i < 46; i++) await api.create(service(`s${i}`))
  const last = (name: string): Promise<number> => api.get(name, inDefault).then(({ spec }) => Number(spec?.clusterIP?.split('.')[3]))
  expect(Math.min(...(await Promise.all(Array.from({ length: 46 }, (_, i) => last(`s${i}`)))))).toBe(17)
  await api.create(service('low'))
  expect(await last('low')).toBe(2)
})

test('what a service has it keeps when the ranges of the cluster are others', async () => {
  await using old = await start({ cidr: DUAL })
  await old.clients[0]!.of(services).create(service('web', { ipFamilyPolicy: 'RequireDualStack' }))
  await using servers = await start({ cidr: '10.97.0.0/24', store: old.store })
  const api = servers.clients[0]!.of(services)
  const before = await api.get('web', inDefault)
  const labelled = await api.patch('web', { metadata: { labels: { a: 'b' } } }, { type: 'merge', ...inDefault })
  expect(labelled.spec?.clusterIPs).toEqual(before.spec?.clusterIPs)
})

test('a load balancer with local traffic has a port for health checks, for as long as it is one', async () => {
  await using servers = await start({ nodePorts: { from: 30_000, to: 30_001 } })
  const api = servers.clients[0]!.of(services)
  const made = await api.create(service('web', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }))
  const check = made.spec?.healthCheckNodePort
  expect(new Set([made.spec?.ports?.[0]?.nodePort, check])).toEqual(new Set([30_000, 30_001]))
  const { healthCheckNodePort: _gone, ...rest } = made.spec!
  expect((await api.update({ ...made, spec: rest })).spec?.healthCheckNodePort).toBe(check)
  const merge = { type: 'merge', ...inDefault } as const
  await expect(api.patch('web', { spec: { healthCheckNodePort: 30_009 } }, merge)).rejects.toMatchObject({ reason: 'Invalid' })
  const spread = await api.patch('web', { spec: { externalTrafficPolicy: 'Cluster' } }, merge)
  expect(spread.spec?.healthCheckNodePort).toBeUndefined()
  expect(await claims(servers.store, NODE_PORTS)).toEqual([String(made.spec?.ports?.[0]?.nodePort)])
  await expect(
    api.create(
      service('two', { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: spread.spec!.ports![0]!.nodePort }),
    ),
  ).rejects.toMatchObject({ message: expect.stringContaining('provided port is already allocated') })
})

test('no port is for health checks and for the service itself', async () => {
  await using servers = await start({ nodePorts: { from: 30_000, to: 30_100 } })
  const [client] = servers.clients as [Client]
  const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30_007 } as const
  const both = service('both', { ...local, ports: [{ port: 80, nodePort: 30_007 }] })
  await expect(client.of(services).create(both)).rejects.toThrow(
    'spec.healthCheckNodePort: Invalid value: 30007: provided port is already allocated',
  )
  await client.of(services).create(service('apart', { ...local, ports: [{ port: 80, nodePort: 30_008 }] }))
})

test('a load balancer may do without node ports, and give them back later', async () => {
  await using servers = await start()
  const api = servers.clients[0]!.of(services)
  const none = await api.create(service('none', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }))
  expect(none.spec?.ports?.[0]?.nodePort).toBeUndefined()
  const made = await api.create(service('web', { type: 'LoadBalancer', loadBalancerClass: 'routing.biplane.dev/bgp' }))
  expect(made.spec?.ports?.[0]?.nodePort).toBeGreaterThan(0)
  const merge = { type: 'merge', ...inDefault } as const
  const kept = await api.patch('web', { spec: { allocateLoadBalancerNodePorts: false } }, merge)
  expect(kept.spec?.ports?.[0]?.nodePort).toBe(made.spec?.ports?.[0]?.nodePort)
  const back = await api.patch('web', { spec: { ports: [{ port: 80 }] } }, merge)
  expect(back.spec?.ports?.[0]?.nodePort).toBeUndefined()
  expect(await claims(servers.store, NODE_PORTS)).toEqual([])
})

test('one port of two protocols has one node port', async () => {
  await using servers = await start()
  const api = servers.clients[0]!.of(services)
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    { name: 'sctp', port: 54, protocol: 'SCTP' },
  ]
  const made = (await api.create(service('dns', { type: 'NodePort', ports }))).spec?.ports?.map((port) => port.nodePort)
  expect(made?.[0]).toBe(made?.[1])
  expect(made?.[2]).not.toBe(made?.[0])
  const named = await api.create(service('named', { type: 'NodePort', ports: [ports[0]!, { ...ports[1]!, nodePort: 30_053 }] }))
  expect(named.spec?.ports?.map((port) => port.nodePort)).toEqual([30_053, 30_053])
})

test('a dry run takes nothing', async () => {
  await using servers = await start({ cidr: '10.96.0.0/29' })
  const api = servers.clients[0]!.of(services)
  for (let i = 0; i < 20; i++) expect((await api.create(service('dry'), { dryRun: true })).spec?.clusterIP).toBeDefined()
  expect(await claims(servers.store, SERVICE_IPS)).toEqual([])
})

test('a full range says so, and the first address is kept for the API itself', async () => {
  await using servers = await start({ cidr: '10.96.0.0/29' })
  const api = servers.clients[0]!.of(services)
  const made = await Promise.all([1, 2, 3, 4, 5].map((i) => api.create(service(`s${i}`))))
  expect(made.map((one) => one.spec?.clusterIP ?? '').toSorted()).toEqual(['10.96.0.2', '10.96.0.3', '10.96.0.4', '10.96.0.5', '10.96.0.6'])
  await expect(api.create(service('s6'))).rejects.toMatchObject({ message: expect.stringContaining('range is full') })
})

test('however many create, update and delete at once on two servers, no value is given twice', async () => {
  const step = fc.record({
    server: fc.nat(1),
    name: fc.nat(12),
    what: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'explicit', 'flip', 'delete'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 4 }), async (rounds) => {
      await using servers = await start({ servers: 2, cidr: '10.96.0.0/28,fd00::/125', nodePorts: { from: 30_000, to: 30_005 } })
      for (const round of rounds) {
        await Promise.allSettled(
          round.map(async ({ server, name, what }) => {
            const api = servers.clients[server]!.of(services)
            if (what === 'delete') await api.delete(`s${name}`, inDefault)
            else if (what === 'flip') {
              const old = (await api.get(`s${name}`, inDefault)).spec?.ipFamilyPolicy
              const ipFamilyPolicy = old === 'SingleStack' ? 'RequireDualStack' : 'SingleStack'
              await api.patch(`s${name}`, { spec: { ipFamilyPolicy } }, { type: 'merge', ...inDefault })
            } else if (what === 'explicit') await api.create(service(`s${name}`, { clusterIP: `10.96.0.${2 + (name % 12)}` }))
            else
              await api.create(service(`s${name}`, { type: what, ...(what === 'LoadBalancer' ? { externalTrafficPolicy: 'Local' } : {}) }))
          }),
        )
        const all = (await servers.clients[0]!.of(services).list(inDefault)).items
        const ips = all.flatMap((one) => one.spec?.clusterIPs ?? [])
        const ports = all
          .flatMap(({ spec }) => [...(spec?.ports ?? []).map((port) => port.nodePort), spec?.healthCheckNodePort])
          .filter((port) => port !== undefined)
        expect(new Set(ips).size).toBe(ips.length)
        expect(new Set(ports).size).toBe(ports.length)
        // claims are exactly what services hold
        expect((await claims(servers.store, SERVICE_IPS)).toSorted()).toEqual(ips.toSorted())
        expect((await claims(servers.store, NODE_PORTS)).toSorted()).toEqual(ports.map(String).toSorted())
      }
    }),
    { numRuns: 40 },
  )
})

test('repair writes missing claims, drops stale ones, and leaves a value two services hold', async () => {
  await using servers = await start()
  const { store } = servers
  const made = await servers.clients[0]!.of(services).create(service('web', { type: 'NodePort' }))
  const ip = made.spec?.clusterIP as string
  await store.txn(
    [],
    [
      { type: 'delete', key: SERVICE_IPS + ip },
      { type: 'put', key: `${SERVICE_IPS}10.96.0.77`, value: Buffer.from('gone/gone') },
    ],
    [],
  )
  expect(await repairAllocations(store, '/registry/core/services/', silentLogger)).toEqual({ added: 1, removed: 1 })
  expect(await repairAllocations(store, '/registry/core/services/', silentLogger)).toEqual({ added: 0, removed: 0 })
  expect(await claims(store, SERVICE_IPS)).toEqual([ip])
  const twin = Buffer.from(JSON.stringify({ ...made, metadata: { ...made.metadata, name: 'twin' } }))
  await store.txn([], [{ type: 'put', key: '/registry/core/services/default/twin', value: twin }], [])
  const errors: string[] = []
  const log = { ...silentLogger, error: (message: string) => void errors.push(message) }
  await repairAllocations(store, '/registry/core/services/', log)
  expect(errors.length).toBeGreaterThan(0)
  expect(await claims(store, SERVICE_IPS)).toEqual([ip])
})
