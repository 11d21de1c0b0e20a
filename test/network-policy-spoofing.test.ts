import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { VTEP_PORT } from '../src/data-plane/node/network/index.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { ninePods, NODE_IP, podAddresses } from './network-policy-support/cluster.ts'
import { policy, put } from './network-policy-support/edit-cluster.ts'
import { labPods, startEnforcedLab, type EnforcedLab } from './network-policy-support/enforced-lab.ts'
import type { ProbePacket } from './network-policy-support/pod-lab.ts'
import type { Cluster } from './network-policy-support/reference.ts'
import { poll } from './support/poll.ts'

const missing = labProblem()
const suffix = missing === '' ? '' : ` (skipped: ${missing})`
const nine = ninePods()
const [XA, XA6] = podAddresses(0)
const [YA, YA6] = podAddresses(3)
const [ZA, ZA6] = podAddresses(6)
const PORT = 4789
const ID = 0x6270
const packet = (source: string, destination: string, from = XA): ProbePacket => ({ source, destination, from, protocol: 'UDP', port: 80 })
/** Nothing may leave the pods of x; those of y take what comes. */
const closedX: Cluster = put(policy({ podSelector: {}, policyTypes: ['Egress'] }, { name: 'closed', namespace: 'x' }))({
  ...nine,
  nodes: nine.nodes.map((node) => ({ ...node, metadata: { ...node.metadata, annotations: { [VTEP_PORT]: String(PORT) } } })),
})

describe.skipIf(missing !== '')(`packets that lie about where they come from${suffix}`, () => {
  let enforced: EnforcedLab
  let mac = ''

  beforeAll(async () => {
    enforced = await startEnforcedLab(labPods(nine.pods))
    const { node } = enforced.lab
    await node.must(['ip', 'address', 'add', `${NODE_IP}/32`, 'dev', 'lo'])
    await node.must([
      'ip',
      'link',
      'add',
      'tunnel',
      'type',
      'vxlan',
      'id',
      String(ID),
      'local',
      NODE_IP,
      'dstport',
      String(PORT),
      'nolearning',
    ])
    await node.must(['sysctl', '-qw', 'net.ipv4.conf.tunnel.rp_filter=2'])
    await node.must(['ip', 'address', 'add', '10.244.1.0/32', 'dev', 'tunnel'])
    await node.must(['ip', 'link', 'set', 'tunnel', 'up'])
    mac = /link\/ether (\S+)/.exec(await node.must(['ip', 'link', 'show', 'tunnel']))?.[1] ?? ''
    await enforced.apply(closedX)
  })
  afterAll(() => enforced?.remove())

  test('neighbours find each other: what a link says of itself is no lie', async () => {
    const pings = await enforced.lab.pod(XA6).run(['ping', '-6', '-c', '1', '-W', '2', 'fe80::1%eth0'])
    expect(pings.code).toBe(0)
    // but it leads nowhere else
    expect(
      await enforced.lab.probe([packet('fe80::7', YA6, XA6), packet('::', YA6, XA6), packet(ZA6, YA6, ZA6)], [false, false, true]),
    ).toEqual([false, false, true])
  })

  test('a pod sends as itself, by all of its addresses', async () => {
    const truths = [packet(ZA, YA, ZA), packet(ZA6, YA6, ZA6)]
    expect(await enforced.lab.probe(truths, [true, true])).toEqual([true, true])
  })

  test('a pod cannot send as another pod, or as nobody of the cluster', async () => {
    const lies = [packet(ZA, YA), packet('198.51.100.7', YA), packet(ZA6, YA6, XA6), packet('2001:db8::7', YA6, XA6)]
    const wanted = [...lies.map(() => false), true, true]
    expect(await enforced.lab.probe([...lies, packet(ZA, YA, ZA), packet(ZA6, YA6, ZA6)], wanted)).toEqual(wanted)
    const counted = (await enforced.enforcer.counters()).find(({ rule }) => rule?.name === 'false source')
    expect(counted?.packets).toBe(lies.length)
  })

  test('a pod cannot speak to the tunnels between nodes', async () => {
    const { lab, nft } = enforced
    const inner = packet(ZA, YA)
    const outer = { source: XA, destination: NODE_IP, port: PORT, id: ID, mac }
    const seen: number[] = []
    const arrives = async (token: number): Promise<true> =>
      await poll('the inner packet', () => (seen.push(...lab.received()), seen.includes(token) ? true : undefined), { everyMs: 2 })
    const hidden = lab.sendTunnelled(inner, outer)
    // what is sent later arrives, by way of the same node
    await arrives(lab.send(packet(ZA, YA, ZA)))
    expect(seen).not.toContain(hidden)
    // without the filter it would have been a way out
    await enforced.stop()
    await nft.run('delete table inet biplane-policy\n')
    await arrives(lab.sendTunnelled(inner, outer))
  })
})
