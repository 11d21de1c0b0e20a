// From a change of packet policies, seen by the node agent, to the first packet that is judged by it, with 1,000 pods on the node.
// Goal: p99 <= 20 ms. Run as root: node scripts/bench.mjs policy-change [PODS] [CHANGES]
import { setTimeout as delay } from 'node:timers/promises'
import type { NetworkPolicy, Pod } from '../src/api/generated/types.ts'
import { NODES, namespace } from '../test/network-policy-support/cluster.ts'
import { compilePolicies, evaluatePacket } from '../src/policy/packet/policies/index.ts'
import { startEnforcedLab, type EnforcedLab } from '../test/network-policy-support/enforced-lab.ts'
import type { Cluster } from '../test/network-policy-support/reference.ts'
import { against, quantile, report, spread, table } from './harness/report.ts'

const GOAL_MS = 20
const PODS = Number(process.argv[2] ?? 1000)
const CHANGES = Number(process.argv[3] ?? 200)
const PER_NAMESPACE = 20
const SOURCE = '10.244.0.2'
const TARGET = '10.244.0.3'
const PACKET = { source: SOURCE, destination: TARGET, protocol: 'TCP', port: 80 } as const
const LIMIT_MS = 10_000
const WARM_UP = 20

const address = (index: number): string => `10.244.${(index + 2) >> 8}.${(index + 2) & 255}`
const namespaceOf = (index: number): string => `ns-${Math.floor(index / PER_NAMESPACE)}`

/** Pods in namespaces of 20, each with a default denial, a policy per app, and a policy for the namespace as a whole. */
function startCluster(): Cluster {
  const pods = Array.from({ length: PODS }, (_, i): Pod => ({
    metadata: {
      name: `pod-${i}`,
      namespace: namespaceOf(i),
      uid: `uid-${i}`,
      labels: { app: `app-${i % 4}`, ...(i === 0 ? { role: 'client' } : {}) },
    },
    spec: { nodeName: 'node', containers: [{ name: 'c', image: 'i', ports: [{ name: 'web', containerPort: 80 }] }] },
    status: { phase: 'Running', podIPs: [{ ip: address(i) }] },
  }))
  const names = [...new Set(pods.map(({ metadata }) => metadata.namespace ?? ''))]
  return {
    namespaces: names.map((name) => namespace(name)),
    pods,
    nodes: NODES,
    networkPolicies: names.flatMap((name): NetworkPolicy[] => [
      { metadata: { name: 'deny', namespace: name }, spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'], egress: [{}] } },
      ...['app-0', 'app-1', 'app-2', 'app-3'].map((app) => ({
        metadata: { name: app, namespace: name },
        spec: {
          podSelector: { matchLabels: { app } },
          policyTypes: ['Ingress'],
          ingress: [{ from: [{ podSelector: { matchLabels: { app: 'app-0' } } }], ports: [{ protocol: 'TCP', port: 'web' }] }],
        },
      })),
    ]),
    clusterNetworkPolicies: [
      {
        metadata: { name: 'monitoring' },
        spec: {
          tier: 'Admin',
          priority: 1,
          subject: { namespaces: {} },
          ingress: [{ action: 'Pass', from: [{ namespaces: { matchLabels: { ns: 'monitoring' } } }] }],
        },
      },
    ],
  }
}

const allowing = (from: Record<string, string>, port = 80): NetworkPolicy => ({
  metadata: { name: 'allow', namespace: namespaceOf(1) },
  spec: {
    podSelector: { matchLabels: { app: 'app-1' } },
    policyTypes: ['Ingress'],
    ingress: [{ from: [{ podSelector: { matchLabels: from } }], ports: [{ protocol: 'TCP', port }] }],
  },
})

/** Each change alternates between two clusters: packets are denied in the first and arrive in the second. */
function changes(base: Cluster): Readonly<Record<string, readonly [Cluster, Cluster]>> {
  const closed: Cluster = { ...base, networkPolicies: base.networkPolicies.filter(({ metadata }) => metadata.name !== 'app-1') }
  const add = (cluster: Cluster, policy: NetworkPolicy): Cluster => ({ ...cluster, networkPolicies: [...cluster.networkPolicies, policy] })
  const relabelled = (cluster: Cluster, labels: Record<string, string>): Cluster => ({
    ...cluster,
    pods: cluster.pods.map((pod, i) => (i === 0 ? { ...pod, metadata: { ...pod.metadata, labels } } : pod)),
  })
  return {
    'a policy is made, a policy is deleted': [closed, add(closed, allowing({ role: 'client' }))],
    'a port of a policy changes': [add(closed, allowing({ role: 'client' }, 81)), add(closed, allowing({ role: 'client' }))],
    'a label of a pod changes': [
      relabelled(add(closed, allowing({ role: 'client' })), { app: 'app-0' }),
      add(closed, allowing({ role: 'client' })),
    ],
  }
}

/** Milliseconds from showing `to` until the first packet that it judged was sent. Packets are sent without a pause; it arrives or not, as `wanted`. */
async function changeOnce(lab: EnforcedLab, to: Cluster, wanted: boolean): Promise<number> {
  const begin = performance.now()
  const revision = lab.lists.show(to)
  const sent: { readonly atMs: number; readonly token: number }[] = []
  const arrived = new Set<number>()
  const look = (): void => {
    for (const token of lab.lab.received()) arrived.add(token)
  }
  const isAsWanted = (): boolean => arrived.has(sent.at(-1)?.token ?? -1) === wanted
  while (lab.enforcer.state().applied !== revision || !isAsWanted()) {
    if (performance.now() - begin > LIMIT_MS)
      throw new Error(`the change was not seen within ${LIMIT_MS} ms: ${JSON.stringify(lab.enforcer.state())}`)
    sent.push({ atMs: performance.now(), token: lab.lab.send(PACKET) })
    look()
    await delay(1)
  }
  look()
  const judgedBefore = sent.findLastIndex(({ token }) => arrived.has(token) !== wanted)
  return (sent[judgedBefore + 1]?.atMs ?? Number.NaN) - begin
}

/** Microseconds that the evaluator takes for a packet, between any two pods. */
function evaluateMicroseconds(cluster: Cluster): number {
  const policy = compilePolicies({ ...cluster, node: 'node' })
  const rounds = 100_000
  const begin = performance.now()
  for (let i = 0; i < rounds; i++) {
    evaluatePacket(policy, { source: address(i % PODS), destination: address((i * 7 + 1) % PODS), protocol: 'TCP', port: 80 })
  }
  return ((performance.now() - begin) * 1000) / rounds
}

async function main(): Promise<void> {
  const base = startCluster()
  const lab = await startEnforcedLab([
    { key: 'client', ips: [SOURCE] },
    { key: 'server', ips: [TARGET] },
  ])
  const rows: string[][] = []
  const every: number[] = []
  try {
    for (const [name, [denied, allowed]] of Object.entries(changes(base))) {
      await lab.apply(denied)
      // an agent has run for a while
      for (let i = 0; i < WARM_UP; i++) await changeOnce(lab, i % 2 === 0 ? allowed : denied, i % 2 === 0)
      const times: number[] = []
      for (let i = 0; i < CHANGES; i++) times.push(await changeOnce(lab, i % 2 === 0 ? allowed : denied, i % 2 === 0))
      every.push(...times)
      rows.push([name, spread(times, 2), quantile(times, 0.99).toFixed(2)])
    }
  } finally {
    await lab.remove()
  }
  report('policy-change', [
    '# Policy change to first packet judged by it',
    '',
    `p99 of all: ${against(quantile(every, 0.99), { most: GOAL_MS, unit: 'ms' })}`,
    '',
    `${PODS} pods on the node in ${base.namespaces.length} namespaces, ${base.networkPolicies.length} NetworkPolicies and one ClusterNetworkPolicy; ${CHANGES} changes of each kind. ` +
      'Two of the pods are real (network namespaces on routed links); packets go from one to the other all the while, each the first of a flow. From the event of the list to the sending of the first packet with the new fate.',
    '',
    ...table(['change', 'ms: median (min to max)', 'p99 ms'], rows),
    '',
    `The evaluator of the same artefact takes ${evaluateMicroseconds(base).toFixed(1)} us for a packet.`,
  ])
}

await main()
