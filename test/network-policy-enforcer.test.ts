import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../src/base/clock.ts'
import { FakeClock } from '../src/base/fake-clock.ts'
import { silentLogger, type LogFields, type Logger } from '../src/base/log.ts'
import { createMetrics } from '../src/base/metrics.ts'
import { NftError, openNft } from '../src/data-plane/forwarding/nft/index.ts'
import { openNflog } from '../src/data-plane/forwarding/nflog/index.ts'
import { LOG_GROUP, PolicyEnforcer } from '../src/data-plane/forwarding/packet-filter/index.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { NODE, ninePods, pod, podAddresses } from './network-policy-support/cluster.ts'
import { policy, put } from './network-policy-support/edit-cluster.ts'
import { labPods, Lists, startEnforcedLab, type EnforcedLab } from './network-policy-support/enforced-lab.ts'
import { PodLab, type ProbePacket } from './network-policy-support/pod-lab.ts'
import type { Cluster } from './network-policy-support/reference.ts'
import { poll } from './support/poll.ts'

const missing = labProblem()
const suffix = missing === '' ? '' : ` (skipped: ${missing})`
const nine = ninePods()
const [XA, XB, YA] = [podAddresses(0)[0], podAddresses(1)[0], podAddresses(3)[0]]
const denyY = put(policy({ podSelector: {}, policyTypes: ['Ingress'] }, { name: 'deny', namespace: 'y' }))
const fromXa = put(
  policy(
    {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { ns: 'x' } }, podSelector: { matchLabels: { pod: 'a' } } }] }],
    },
    { name: 'from-xa', namespace: 'y' },
  ),
)
const probe = (source: string, destination: string): ProbePacket => ({ source, destination, protocol: 'TCP', port: 80 })

describe.skipIf(missing !== '')(`the policy enforcer${suffix}`, () => {
  let enforced: EnforcedLab
  const lines: { readonly message: string; readonly fields: LogFields | undefined }[] = []
  const write = (message: string, fields?: LogFields): void => void lines.push({ message, fields })
  const log: Logger = { ...silentLogger, info: write, warn: write, error: write }

  beforeAll(async () => {
    enforced = await startEnforcedLab(labPods(nine.pods), {
      log,
      openLog: (signal, namespace) => {
        const nflog = openNflog({ group: LOG_GROUP, namespace })
        signal.addEventListener('abort', () => nflog.close())
        return nflog
      },
    })
  })
  afterAll(() => enforced?.remove())
  beforeEach(() => {
    lines.length = 0
  })
  const reaches = async (source: string, destination: string, expected: boolean): Promise<boolean> =>
    (await enforced.lab.probe([probe(source, destination)], [expected]))[0] as boolean

  test('puts right what another program has done to its table, and says who it was', async () => {
    await enforced.apply(denyY(nine))
    await enforced.lab.node.must(['nft', 'delete', 'table', 'inet', 'biplane-policy'])
    await poll(
      'the table',
      async () => ((await enforced.lab.node.run(['nft', 'list', 'table', 'inet', 'biplane-policy'])).code === 0 ? true : undefined),
      {
        everyMs: 10,
      },
    )
    expect(await reaches(XA, YA, false)).toBe(false)
    expect(lines).toContainEqual({
      message: 'another program has changed the packet filter; it is put right',
      fields: { table: 'inet biplane-policy', pid: expect.any(Number), process: 'nft' },
    })
    expect(enforced.metrics.render()).toMatch(/^biplane_policy_foreign_changes_total [1-9]/m)
  })

  test('starts no pod under a table that others have changed, however often they do', async () => {
    await enforced.apply(denyY(nine))
    const seen = (): number => Number(/^biplane_policy_foreign_changes_total (\d+)/m.exec(enforced.metrics.render())?.[1] ?? 0)
    // the second time it would be put right only after a pause
    for (let time = 0; time < 2; time++) {
      const before = seen()
      await enforced.lab.node.must(['nft', 'flush', 'chain', 'inet', 'biplane-policy', 'ingress'])
      await poll('the change is seen', () => (seen() > before ? true : undefined), { everyMs: 2 })
      await enforced.enforcer.protect(pod('y', 'a', { ips: [YA] }), [YA])
      expect(await reaches(XA, YA, false)).toBe(false)
    }
  })

  test('counts what each rule has judged, whatever happens to the table', async () => {
    const cluster = fromXa(nine)
    await enforced.apply(cluster)
    const find = async (verdict: string): Promise<number> =>
      (await enforced.enforcer.counters()).find((one) => one.verdict === verdict && one.policies.includes('NetworkPolicy/y/from-xa'))
        ?.packets ?? 0
    expect([await find('accept'), await find('deny')]).toEqual([0, 0])
    await enforced.lab.probe([probe(XB, YA), probe(XB, YA)], [false, false])
    expect(await reaches(XA, YA, true)).toBe(true)
    await poll('the counts', async () => ((await find('accept')) >= 1 ? true : undefined), { everyMs: 10 })
    const accepted = await find('accept')
    expect(await find('deny')).toBe(2)
    await enforced.lab.node.must(['nft', 'reset', 'counters', 'table', 'inet', 'biplane-policy'])
    await enforced.lab.probe([probe(XB, YA)], [false])
    expect(await find('deny')).toBe(3)
    expect(await find('accept')).toBe(accepted)
    expect(enforced.metrics.render()).toContain(
      'biplane_policy_packets_total{tier="NetworkPolicy",direction="ingress",policy="NetworkPolicy/y/from-xa",rule="",verdict="deny"} 3',
    )
  })

  test('tells which pod was denied by which policy and rule', async () => {
    const rule = { name: 'no client', action: 'Deny' as const, from: [{ namespaces: { matchLabels: { ns: 'x' } } }] }
    await enforced.apply({
      ...fromXa(nine),
      clusterNetworkPolicies: [
        {
          metadata: { name: 'guard' },
          spec: { tier: 'Admin', priority: 1, subject: { namespaces: { matchLabels: { ns: 'z' } } }, ingress: [rule] },
        },
      ],
    })
    const ZA = podAddresses(6)[0]
    await enforced.lab.probe([probe(XB, YA), { ...probe(XA, ZA), protocol: 'UDP' }], [false, false])
    const told = await poll('both denials', () => {
      const list = enforced.enforcer.recent().slice(-2)
      return list[1]?.protocol === 'UDP' ? list : undefined
    })
    const [isolated, denied] = told
    expect(isolated).toMatchObject({
      source: XB,
      sourcePod: 'x/b',
      destination: YA,
      destinationPod: 'y/a',
      protocol: 'TCP',
      destinationPort: 80,
      direction: 'ingress',
      tier: 'NetworkPolicy',
      policies: ['NetworkPolicy/y/from-xa'],
      denyAction: 'Drop',
    })
    expect(denied).toMatchObject({
      sourcePod: 'x/a',
      destinationPod: 'z/a',
      tier: 'Admin',
      policies: ['ClusterNetworkPolicy/guard'],
      rule: { index: 0, name: 'no client' },
    })
    expect(lines.filter(({ message }) => message === 'packet denied').length).toBeGreaterThanOrEqual(2)
  })

  test('says what the kernel refuses, keeps what was in force, and goes on when it can', async () => {
    await enforced.apply(denyY(nine))
    const refusal = (): Promise<never> => Promise.reject(new NftError('transaction: ENOBUFS', 'ENOBUFS'))
    Object.assign(enforced.nft, { run: refusal, commit: refusal })
    const revision = enforced.lists.show(fromXa(nine))
    expect(await poll('a refusal', () => enforced.enforcer.state().refused, { everyMs: 5 })).toEqual({
      revision,
      message: 'transaction: ENOBUFS',
    })
    expect(await reaches(XA, YA, false)).toBe(false)
    await expect(enforced.enforcer.protect(nine.pods[0]!, [XA])).rejects.toThrow('packet policies are not in force: transaction: ENOBUFS')
    for (const name of ['run', 'commit']) Reflect.deleteProperty(enforced.nft, name)
    await poll('the revision', () => (enforced.enforcer.state().applied === revision ? true : undefined), { everyMs: 5 })
    expect(enforced.enforcer.state().refused).toBeUndefined()
    expect(await reaches(XA, YA, true)).toBe(true)
  })

  test('judges a pod before its first packet, though the API knows no address of it yet', async () => {
    await enforced.apply(denyY(nine))
    const [ip, ip6] = podAddresses(20)
    const late = { ...pod('y', 'late', { ips: [] }), status: { phase: 'Pending' } }
    await enforced.lab.addPod({ key: 'y/late', ips: [ip, ip6] })
    expect(await reaches(XA, ip, true)).toBe(true)
    await enforced.enforcer.protect(late, [ip, ip6])
    expect(await reaches(XA, ip, false)).toBe(false)
    await enforced.enforcer.protect(late, [ip, ip6])
    // when it is gone, its address is nobody's, even while the API still shows the pod
    await enforced.apply({ ...denyY(nine), pods: [...nine.pods, pod('y', 'late', { ips: [ip] })] })
    expect(await reaches(XA, ip, false)).toBe(false)
    enforced.enforcer.release('uid-y-late')
    await poll('the release', async () => ((await enforced.lab.probe([probe(XA, ip)], [false]))[0] ? true : undefined), { everyMs: 10 })
  })
})

describe.skipIf(missing !== '')(`a restart of the policy enforcer${suffix}`, () => {
  let lab: PodLab
  const stops: (() => Promise<void>)[] = []
  beforeAll(async () => {
    lab = await PodLab.create(labPods(nine.pods))
  })
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
  })
  afterAll(() => lab?.remove())

  function start(
    cluster: Cluster,
    known: Promise<unknown>,
    clock: Clock = systemClock,
  ): { readonly enforcer: PolicyEnforcer; readonly lists: Lists; stop(): Promise<void> } {
    const lists = new Lists()
    lists.show(cluster)
    const nft = openNft({ namespace: lab.node.path })
    const { networkPolicies, clusterNetworkPolicies, pods, namespaces, nodes } = lists
    const enforcer = new PolicyEnforcer({
      networkPolicies,
      clusterNetworkPolicies,
      pods,
      namespaces,
      nodes,
      known,
      node: NODE,
      nft,
      clock,
      log: silentLogger,
      metrics: createMetrics(),
    })
    const end = new AbortController()
    const running = enforcer.run(end.signal)
    const stop = async (): Promise<void> => {
      end.abort()
      await running
      nft.close()
    }
    stops.push(stop)
    return { enforcer, lists, stop }
  }
  const inForce = (enforcer: PolicyEnforcer): Promise<string> => poll('a revision in force', () => enforcer.state().applied, { everyMs: 2 })

  test('leaves the kernel as found until the policies are known, and protects no pod before', async () => {
    const first = start(denyY(nine), Promise.resolve())
    await inForce(first.enforcer)
    await first.stop()
    let know = (): void => {}
    // a new process whose lists are still empty
    const second = start({ ...nine, pods: [], namespaces: [] }, new Promise<void>((resolve) => (know = resolve)))
    let isProtected = false
    const protection = second.enforcer.protect(nine.pods[3]!, [YA]).then(() => (isProtected = true))
    expect(await lab.probe([probe(XA, YA)], [false])).toEqual([false])
    expect([isProtected, second.enforcer.state().applied]).toEqual([false, undefined])
    second.lists.show(denyY(nine))
    know()
    await protection
    expect(await lab.probe([probe(XA, YA)], [false])).toEqual([false])
  })

  test('a pod that waits for policies that nobody tells is told so, and may ask again', async () => {
    const clock = new FakeClock()
    let know = (): void => {}
    const { enforcer } = start(denyY(nine), new Promise<void>((resolve) => (know = resolve)), clock)
    for (let time = 0; time < 2; time++) {
      const told = expect(enforcer.protect(nine.pods[3]!, [YA])).rejects.toThrow('packet policies are not known yet')
      await clock.advance(10_000)
      await told
    }
    const asked = enforcer.protect(nine.pods[3]!, [YA])
    know()
    await asked
    expect(await lab.probe([probe(XA, YA)], [false])).toEqual([false])
  })

  test('a pod that waits for protection is told when the enforcer ends', async () => {
    const one = start(nine, new Promise(() => {}))
    const waiting = one.enforcer.protect(nine.pods[0]!, [XA])
    const told = expect(waiting).rejects.toThrow('not enforced any more')
    await one.stop()
    await told
  })

  test('never leaves a moment without isolation, and loses no allowed packet, over restarts and changes under traffic', async () => {
    await inForce(start(fromXa(nine), Promise.resolve()).enforcer)
    const rounds = { ended: false }
    const changes = async (): Promise<void> => {
      for (let round = 0; round < 10; round++) {
        for (const stop of stops.splice(0)) await stop()
        const { enforcer, lists } = start(fromXa(nine), Promise.resolve())
        await inForce(enforcer)
        for (const more of [
          denyY(fromXa(nine)),
          put(policy({ podSelector: { matchLabels: { pod: 'a' } }, policyTypes: ['Ingress'] }, { namespace: 'y' }))(fromXa(nine)),
          fromXa(nine),
        ]) {
          const revision = lists.show(more)
          await poll('the change', () => (enforcer.state().applied === revision ? true : undefined), { everyMs: 1 })
        }
      }
      rounds.ended = true
    }
    const traffic = async (): Promise<{ readonly sent: number; readonly lost: number; readonly leaked: number }> => {
      let [sent, lost, leaked] = [0, 0, 0]
      while (!rounds.ended) {
        const packets = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? probe(XA, YA) : probe(XB, YA)))
        const arrived = await lab.probe(
          packets,
          packets.map(({ source }) => source === XA),
        )
        sent += packets.length
        packets.forEach(({ source }, i) => {
          if (source === XA && !arrived[i]) lost++
          if (source === XB && arrived[i]) leaked++
        })
      }
      return { sent, lost, leaked }
    }
    const [, seen] = await Promise.all([changes(), traffic()])
    expect(seen).toEqual({ sent: seen.sent, lost: 0, leaked: 0 })
    expect(seen.sent).toBeGreaterThan(100)
  })
})
