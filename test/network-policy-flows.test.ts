import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { NetworkPolicySpec } from '../src/api/generated/types.ts'
import { labProblem, type LabHost } from '../src/testing/network-lab/index.ts'
import { ninePods, podAddresses } from './network-policy-support/cluster.ts'
import { policy, put } from './network-policy-support/edit-cluster.ts'
import { labPods, startEnforcedLab, type EnforcedLab } from './network-policy-support/enforced-lab.ts'
import { connect, echoServer, TestDatagrams, type TestConnection } from './network-policy-support/flows.ts'
import { poll } from './support/poll.ts'

const missing = labProblem()
const suffix = missing === '' ? '' : ` (skipped: ${missing})`
const nine = ninePods()
const XA = podAddresses(0)[0]
const YA = podAddresses(3)[0]
const YB = podAddresses(4)[0]
const guardY = (spec: NetworkPolicySpec, annotations?: Record<string, string>): ReturnType<typeof put> => {
  const one = policy({ podSelector: {}, policyTypes: ['Ingress'], ...spec }, { name: 'guard', namespace: 'y' })
  return put(annotations ? { ...one, metadata: { ...one.metadata, annotations } } : one)
}
const fromX = [{ namespaceSelector: { matchLabels: { ns: 'x' } } }]

function suite(
  options: { readonly keepEstablished: boolean },
  body: (get: () => EnforcedLab, pods: () => Record<'xa' | 'ya', LabHost>) => void,
): void {
  let enforced: EnforcedLab
  beforeAll(async () => {
    enforced = await startEnforcedLab(labPods(nine.pods), options)
  })
  afterAll(() => enforced?.remove())
  body(
    () => enforced,
    () => ({ xa: enforced.lab.pod(XA), ya: enforced.lab.pod(YA) }),
  )
}

describe.skipIf(missing !== '')(`flows under changing policies${suffix}`, () => {
  suite({ keepEstablished: false }, (get, pods) => {
    const open: { close(): unknown }[] = []
    const opened = <T extends { close(): unknown }>(one: T): T => {
      open.push(one)
      return one
    }
    afterEach(() => {
      for (const one of open.splice(0)) one.close()
    })
    const denied = async (): Promise<number> =>
      (await get().enforcer.counters()).filter(({ verdict }) => verdict === 'deny').reduce((sum, { packets }) => sum + packets, 0)

    test('a connection that is allowed needs no rule for its answers', async () => {
      await get().apply(
        put(policy({ podSelector: {}, policyTypes: ['Egress', 'Ingress'], ingress: [{ from: fromX }] }, { namespace: 'y' }))(nine),
      )
      opened(await echoServer(pods().ya, 80))
      await opened(connect(pods().xa, YA, 80)).exchange('hello')
    })

    test('a tightened policy cuts a connection, and a loosened one lets it go on', async () => {
      await get().apply(guardY({ ingress: [{ from: fromX }] })(nine))
      opened(await echoServer(pods().ya, 80))
      const connection: TestConnection = opened(connect(pods().xa, YA, 80))
      await connection.exchange('one')
      await get().apply(guardY({ ingress: [] })(nine))
      const before = await denied()
      connection.send('two')
      await poll('a denied packet', async () => ((await denied()) > before ? true : undefined), { everyMs: 20 })
      expect(connection.received).toBe('one')
      await get().apply(nine)
      await poll('the rest', () => (connection.received === 'onetwo' ? true : undefined))
    })

    test('a tightened policy cuts datagrams in both directions', async () => {
      await get().apply(guardY({ ingress: [{ from: fromX }] })(nine))
      const server = opened(new TestDatagrams(pods().ya, 81))
      const client = opened(new TestDatagrams(pods().xa, 5000))
      client.sendTo('one', YA, 81)
      expect(await server.next()).toBe('one')
      server.sendTo('answer', XA, 5000)
      expect(await client.next()).toBe('answer')
      await get().apply(guardY({ ingress: [] })(nine))
      client.sendTo('two', YA, 81)
      server.sendTo('answer of a denied flow', XA, 5000)
      await get().apply(nine)
      client.sendTo('three', YA, 81)
      expect(await server.next()).toBe('three')
      server.sendTo('another', XA, 5000)
      expect(await client.next()).toBe('another')
    })

    test('Reject answers at once, by TCP and by ICMP', async () => {
      await get().apply(guardY({ ingress: [] }, { 'biplane.dev/deny-action': 'Reject' })(nine))
      opened(await echoServer(pods().ya, 80))
      const connection = opened(connect(pods().xa, YA, 80))
      await poll('a refusal', () => (connection.error === 'ECONNREFUSED' ? true : undefined), { everyMs: 5 })
      const client = opened(new TestDatagrams(pods().xa))
      client.connect(YA, 81)
      client.send('one')
      expect(await client.next()).toBe('EHOSTUNREACH')
    })

    test('errors about an allowed flow pass, though its server may send nothing', async () => {
      await get().apply(
        put(
          policy(
            { podSelector: {}, policyTypes: ['Egress', 'Ingress'], ingress: [{ ports: [{ protocol: 'UDP', port: 82 }] }] },
            { namespace: 'y' },
          ),
        )(nine),
      )
      const client = opened(new TestDatagrams(pods().xa))
      client.connect(YA, 82)
      client.send('to a closed port')
      expect(await client.next()).toBe('ECONNREFUSED')
    })

    test('rules with ports do not allow ICMP, rules without do', async () => {
      const pings = async (): Promise<boolean> => (await pods().xa.run(['ping', '-c', '1', '-W', '1', YA])).code === 0
      await get().apply(
        guardY({ ingress: [{ from: fromX, ports: [{ protocol: 'TCP' }, { protocol: 'UDP' }, { protocol: 'SCTP' }] }] })(nine),
      )
      expect(await pings()).toBe(false)
      await get().apply(guardY({ ingress: [{ from: fromX }] })(nine))
      expect(await pings()).toBe(true)
    })

    test('packets that belong to no flow do not reach judged pods, and do reach others', async () => {
      await get().apply(guardY({ ingress: [{}] })(nine))
      const stray = (destination: string): { source: string; destination: string; protocol: 'TCP'; port: number; stray: boolean } => ({
        source: XA,
        destination,
        protocol: 'TCP',
        port: 80,
        stray: true,
      })
      expect(await get().lab.probe([stray(YA), stray(podAddresses(6)[0])], [false, true])).toEqual([false, true])
    })

    test('a service is judged by the pods behind it, and a pod reaches itself through it', async () => {
      await get().lab.node.must(['nft', '-f', '-'], {
        input: `table ip test-services {
          chain inbound { type nat hook prerouting priority dstnat; ip daddr 10.96.0.1 tcp dport 80 dnat to ${YA}:81; ip daddr 10.96.0.2 tcp dport 80 dnat to ${YB}:81; }
          chain outbound { type nat hook postrouting priority srcnat; ip saddr ${YA} ip daddr ${YA} masquerade; }
        }\n`,
      })
      const only = policy(
        {
          podSelector: {},
          policyTypes: ['Ingress', 'Egress'],
          egress: [
            {
              to: [{ namespaceSelector: { matchLabels: { ns: 'y' } }, podSelector: { matchLabels: { pod: 'a' } } }],
              ports: [{ protocol: 'TCP', port: 81 }],
            },
          ],
        },
        { name: 'only' },
      )
      await get().apply(put(only, policy({ podSelector: {}, policyTypes: ['Egress'], egress: [] }, { name: 'none', namespace: 'y' }))(nine))
      const to = (source: string, destination: string): { source: string; destination: string; protocol: 'TCP'; port: number } => ({
        source,
        destination,
        protocol: 'TCP',
        port: 80,
      })
      const packets = [to(XA, '10.96.0.1'), to(XA, '10.96.0.2'), to(YA, '10.96.0.1'), to(YA, '10.96.0.2')]
      const wanted = [true, false, true, false]
      expect(await get().lab.probe(packets, wanted)).toEqual(wanted)
      await get().lab.node.must(['nft', 'delete', 'table', 'ip', 'test-services'])
    })
  })
})

describe.skipIf(missing !== '')(`flows that are kept (keepEstablished)${suffix}`, () => {
  suite({ keepEstablished: true }, (get, pods) => {
    test('an old connection goes on after a policy was tightened, a new one does not begin', async () => {
      await get().apply(guardY({ ingress: [{ from: fromX }] })(nine))
      const server = await echoServer(pods().ya, 80)
      const connection = connect(pods().xa, YA, 80)
      await connection.exchange('one')
      await get().apply(guardY({ ingress: [] })(nine))
      await connection.exchange('two')
      const wanted = [false]
      expect(await get().lab.probe([{ source: XA, destination: YA, protocol: 'TCP', port: 80 }], wanted)).toEqual(wanted)
      connection.close()
      server.close()
    })
  })
})
