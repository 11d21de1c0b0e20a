import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ServicePrograms, stopChild } from '../bench/service-programs/peer.ts'
import type { ApiAccess } from '../bench/service-programs/run-proxy.ts'
import type { EndpointSlice, Service, ServiceSpec } from '../src/api/generated/types.ts'
import type { Frontend } from '../src/policy/packet/services/index.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import type { Protocol } from './service-proxy-support/agents.ts'
import { service, slicesOf } from './service-proxy-support/objects.ts'
import { RunningProxy } from './service-proxy-support/running-proxy.ts'
import { buildServiceLab, CLIENT, NODE, PODS, type ServiceLab } from './service-proxy-support/service-lab.ts'
import { poll } from './support/poll.ts'
import { REPOSITORY } from './support/program.ts'

const { builtKubeProxy } = (await import(join(REPOSITORY, 'scripts/build-kube-proxy.mjs'))) as { readonly builtKubeProxy: () => string }
const binary = builtKubeProxy()
const missing = labProblem() || (binary === '' ? 'no kube-proxy: node scripts/build-kube-proxy.mjs, about 6 minutes of processor time' : '')

const ports = (nodePort?: number): NonNullable<ServiceSpec['ports']> => [
  { name: 'tcp', port: 80, protocol: 'TCP', ...(nodePort ? { nodePort } : {}) },
  { name: 'udp', port: 80, protocol: 'UDP', ...(nodePort ? { nodePort } : {}) },
]
const ending = { ready: false, serving: true, terminating: true }
const zone = (name: string) => ({ hints: { forZones: [{ name }] } })
const external = (index: number): string[] => [`198.51.100.${index}`, `2001:db8:7::${index}`]
const balancer = (index: number): string[] => [`198.51.100.10${index}`, `2001:db8:7::10${index}`]

/** One service for each rule, and who is behind it. */
const CASES: readonly [name: string, spec: ServiceSpec, endpoints: Parameters<typeof slicesOf>[1], balancerIps?: readonly string[]][] = [
  ['plain', {}, Object.values(PODS)],
  ['empty', { type: 'NodePort', ports: ports(30_002), externalIPs: external(2) }, []],
  ['exposed', { type: 'LoadBalancer', ports: ports(30_003), externalIPs: external(3) }, [PODS.p1, PODS.r1], balancer(3)],
  [
    'local',
    { type: 'LoadBalancer', ports: ports(30_004), externalIPs: external(4), externalTrafficPolicy: 'Local' },
    [PODS.p1, PODS.r1],
    balancer(4),
  ],
  ['local-none', { type: 'NodePort', ports: ports(30_005), externalTrafficPolicy: 'Local' }, [PODS.r1]],
  ['inside', { internalTrafficPolicy: 'Local' }, [PODS.p2, PODS.r1]],
  ['inside-none', { internalTrafficPolicy: 'Local' }, [PODS.r1]],
  [
    'ranges',
    { type: 'LoadBalancer', ports: ports(30_008), loadBalancerSourceRanges: [`${CLIENT.v4}/32`, `${CLIENT.v6}/128`] },
    [PODS.p1],
    balancer(8),
  ],
  [
    'ending',
    {},
    [
      { ...PODS.p1, conditions: ending },
      { ...PODS.p2, conditions: { ready: false } },
    ],
  ],
  [
    'hints',
    {},
    [
      { ...PODS.p1, ...zone('b') },
      { ...PODS.p2, ...zone('a') },
    ],
  ],
  ['own', {}, [PODS.p1]],
]

describe.skipIf(missing !== '')(`kube-proxy in nftables mode as witness${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: ServiceLab
  let programs: ServicePrograms

  beforeAll(async () => {
    lab = await buildServiceLab()
    programs = await ServicePrograms.bundle()
  })
  afterAll(async () => {
    await lab?.lab.remove()
    programs?.remove()
  })

  test('the same services, the same questions, the same answers', async () => {
    const services = CASES.map(([name, spec, , ips], i) => service(name, i + 1, spec, ips))
    const slices = CASES.map(([name, , endpoints]) => slicesOf(name, endpoints))
    const running = new RunningProxy(lab)
    await running.have(services, slices)
    const questions = [...running.proxy.table.frontends.values()].filter(({ protocol }) => protocol !== 'SCTP')
    // kube-proxy refuses TCP over IPv6 by a message that only counts when the client asks again, after a second
    const askOne = async (
      { service: name, kind, protocol, address, port }: Frontend,
      sender: 'client' | 'p1' | 'node',
    ): Promise<string> => {
      const first = await lab.agents[sender].ask(protocol as Protocol, address, port, { timeoutMs: 4000 })
      const who = first.includes(' ') ? await lab.agents[sender].askers(protocol as Protocol, address, port, 24) : first
      return `${name} ${kind} ${protocol}/${address}:${port} from ${sender}: ${who}`
    }
    const ask = async (): Promise<readonly string[]> => {
      const all = questions.flatMap((frontend) => (['client', 'p1', 'node'] as const).map((sender) => ({ frontend, sender })))
      const answers: string[] = []
      for (let i = 0; i < all.length; i += 8) {
        answers.push(...(await Promise.all(all.slice(i, i + 8).map(({ frontend, sender }) => askOne(frontend, sender)))))
      }
      return answers
    }
    const ours = await ask()
    await running.stop()
    for (const family of ['ip', 'ip6']) await lab.node.must(['nft', 'delete', 'table', family, 'biplane-services'])

    const api = programs.start(lab.node, 'api', 'node', NODE.v4, NODE.v6)
    const access = await api.next<ApiAccess>()
    await api.ask({ services: services.map(dualStack), slices: slices.flat().map(fresh) })
    const kubeProxy = programs.startKubeProxy(lab.node, binary, {
      access,
      nodeName: 'node',
      nodePortAddresses: [`${NODE.v4}/32`, `${NODE.v6}/128`],
      podRanges: lab.serviceNode.podRanges ?? [],
    })
    for (const vip of ['10.96.0.1', 'fd00:10:96::1']) {
      await poll('kube-proxy serves', async () =>
        (await lab.agents.p1.ask('TCP', vip, 80, { timeoutMs: 300 })).includes(' ') ? true : undefined,
      )
    }
    const theirs = await ask()
    await stopChild(kubeProxy)
    await api.stop()
    expect(ours).toEqual(theirs)
    expect(ours.length).toBeGreaterThan(100)
  })
})

/** As an API server wants it. */
function dualStack({ metadata, spec, status }: Service): Service {
  const { clusterIPs = [], ...rest } = spec ?? {}
  return fresh({
    metadata,
    spec: {
      ...rest,
      clusterIPs,
      ...(clusterIPs[0] === undefined ? {} : { clusterIP: clusterIPs[0] }),
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
    },
    ...(status ? { status } : {}),
  })
}

/** Without the revision that the lab gave it. */
function fresh<T extends Service | EndpointSlice>(object: T): T {
  const { name, namespace, labels } = object.metadata
  return { ...object, metadata: { name, namespace: namespace ?? '', ...(labels ? { labels } : {}) } }
}
