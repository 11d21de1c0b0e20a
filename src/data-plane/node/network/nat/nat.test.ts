import { describe, expect, test } from 'vitest'
import { formatIp, parseIp, parsePrefix, type IpBytes, type IpPrefix } from '../../../../base/ip.ts'
import type { Pod } from '../../../../api/generated/types.ts'
import { FakeClock } from '../../../../base/fake-clock.ts'
import { silentLogger } from '../../../../base/log.ts'
import type { ElementChange, Nft } from '../../../forwarding/contract.ts'
import type { NetworkedPod } from '../pod-network.ts'
import { compilePodNat, compileRanges } from './compile-pod-nat.ts'
import { hostPortElements } from './host-port-elements.ts'
import { hostPortsOf } from './host-port.ts'
import { PodNatTable } from './pod-nat-table.ts'

type Port = NonNullable<NonNullable<Pod['spec']>['containers'][number]['ports']>[number]
const podWith = (...ports: readonly Port[]): Pod => ({
  metadata: { name: 'p', uid: 'u' },
  spec: { containers: [{ name: 'main', ports: [...ports] }] },
})
const ips = ['10.244.1.2', 'fd00::2']
const asText = (pod: Pod, addresses = ips): string[] =>
  hostPortsOf(pod, addresses).map(
    ({ address, protocol, port, pod: to, podPort }) =>
      `${address ? formatIp(address) : '*'} ${protocol}/${port} -> ${formatIp(to)} ${podPort}`,
  )

describe('host ports of a pod', () => {
  test.each<[string, Port, string[]]>([
    ['none', { containerPort: 80 }, []],
    ['of both families', { containerPort: 80, hostPort: 8080 }, ['* 6/8080 -> 10.244.1.2 80', '* 6/8080 -> fd00::2 80']],
    ['of UDP', { containerPort: 53, hostPort: 53, protocol: 'UDP', hostIP: '10.0.0.1' }, ['10.0.0.1 17/53 -> 10.244.1.2 53']],
    ['of SCTP on all IPv4 addresses', { containerPort: 9, hostPort: 9, protocol: 'SCTP', hostIP: '0.0.0.0' }, ['* 132/9 -> 10.244.1.2 9']],
    ['on all IPv6 addresses', { containerPort: 9, hostPort: 9, hostIP: '::' }, ['* 6/9 -> fd00::2 9']],
    ['of the machine itself', { containerPort: 9, hostPort: 9, hostIP: '127.0.0.1' }, ['127.0.0.1 6/9 -> 10.244.1.2 9']],
  ])('%s', (_what, port, expected) => expect(asText(podWith(port))).toEqual(expected))

  test('are those of its containers and sidecars, not of what initializes it', () => {
    const ports = (hostPort: number): Port[] => [{ containerPort: 80, hostPort }]
    const initContainers = [
      { name: 'i', ports: ports(1) },
      { name: 's', restartPolicy: 'Always', ports: ports(2) },
    ]
    const pod: Pod = { metadata: { name: 'p' }, spec: { initContainers, containers: [{ name: 'm', ports: ports(3) }] } }
    expect(asText(pod, ['10.244.1.2'])).toEqual(['* 6/2 -> 10.244.1.2 80', '* 6/3 -> 10.244.1.2 80'])
  })
})

describe('the tables', () => {
  const range = (text: string): IpPrefix => parsePrefix(text) as IpPrefix
  const nat = {
    nodeAddress: parseIp('10.0.0.1') as IpBytes,
    localPods: [range('10.244.1.0/24'), range('fd00:1::/64')],
    clusterPods: [range('10.244.1.0/24'), range('10.244.2.0/24'), range('fd00:1::/64')],
    hostPorts: hostPortsOf(
      podWith({ containerPort: 80, hostPort: 8080 }, { containerPort: 53, hostPort: 53, protocol: 'UDP', hostIP: '10.0.0.1' }),
      ips,
    ),
  }

  test('are replaced in one transaction, and hold what is of their family', () => {
    const text = compilePodNat(4, nat)
    expect(text.split('\n').slice(0, 3)).toEqual(['table ip biplane-pods', 'delete table ip biplane-pods', 'table ip biplane-pods {'])
    expect(text).toContain('set cluster-pods { type ipv4_addr; flags interval; auto-merge; elements = { 10.244.1.0/24, 10.244.2.0/24 }; }')
    expect(text).toContain('elements = { 6 . 8080 : 10.244.1.2 . 80 };')
    expect(text).toContain('elements = { 10.0.0.1 . 17 . 53 : 10.244.1.2 . 53 };')
    expect(text).toContain('@hairpin snat to 10.0.0.1')
    expect(text).not.toContain('fd00')
  })

  test('of IPv6 let the way out choose the address of a node that has none', () => {
    const text = compilePodNat(6, { ...nat, nodeAddress: undefined })
    expect(text).toContain('@hairpin masquerade')
    expect(text).not.toContain('10.244')
    expect(text).not.toContain('127.0.0.0')
  })

  test('change by elements', () => {
    const texts = hostPortElements('add', nat.hostPorts).map(
      ({ family, set, elements }) =>
        `${family} ${set} ${elements.map(({ key, data }) => [key, data ?? ''].map(String).join(' : ')).join(' and ')}`,
    )
    expect(texts).toEqual([
      'ip host-ports 10,0,0,1,17,0,0,0,0,53,0,0 : 10,244,1,2,0,53,0,0',
      'ip any-host-ports 6,0,0,0,31,144,0,0 : 10,244,1,2,0,80,0,0',
      'ip hairpin 10,244,1,2,10,244,1,2,6,0,0,0,0,80,0,0 :  and 10,244,1,2,10,244,1,2,17,0,0,0,0,53,0,0 : ',
      `ip6 any-host-ports 6,0,0,0,31,144,0,0 : ${String(parseIp('fd00::2'))},0,80,0,0`,
      `ip6 hairpin ${String(parseIp('fd00::2'))},${String(parseIp('fd00::2'))},6,0,0,0,0,80,0,0 : `,
    ])
    expect(compileRanges(6, nat)).toBe(
      'flush set ip6 biplane-pods local-pods\nadd element ip6 biplane-pods local-pods { fd00:1::/64 }\n' +
        'flush set ip6 biplane-pods cluster-pods\nadd element ip6 biplane-pods cluster-pods { fd00:1::/64 }\n',
    )
  })
})

describe('the ports of a node', () => {
  const sent: string[] = []
  const nft = {
    run: (text: string) => Promise.resolve(void sent.push(text)),
    apply: (changes: readonly ElementChange[]) =>
      isBroken ? Promise.reject(new Error('ENOENT')) : Promise.resolve(void sent.push(...changes.map(({ op, set }) => `${op} ${set}`))),
  } as unknown as Nft
  let isBroken = false
  const forgotten: string[] = []
  const table = (): PodNatTable =>
    new PodNatTable({
      nft,
      nodeAddresses: ['10.0.0.1'],
      families: [4],
      forget: (flows) => {
        for (const { originalDestination: to, port, backend } of flows)
          forgotten.push(`${to ? formatIp(to) : '*'} ${port} ${backend ? formatIp(backend.address) : '*'}`)
      },
      clock: new FakeClock(),
      log: silentLogger,
    })
  const web = (podUid: string, port: Partial<Port> = {}): NetworkedPod => ({
    podUid,
    pod: podWith({ containerPort: 80, hostPort: 80, ...port }),
    ips: ['10.244.1.2'],
  })

  test('lead to one pod each', async () => {
    const ports = table()
    await ports.add(web('one'))
    await expect(ports.add(web('two'))).rejects.toMatchObject({
      code: 'HostPortConflict',
      message: 'host port 80 of this node leads to another pod',
    })
    await ports.add(web('three', { hostIP: '10.0.0.1' }))
    await ports.remove('one')
    await ports.add(web('two'))
  })

  test('that were there before are put in place with the table', async () => {
    const ports = table()
    sent.length = 0
    await ports.add(web('one'))
    expect(sent).toEqual([])
    await ports.install()
    expect(sent[0]).toContain('elements = { 6 . 80 : 10.244.1.2 . 80 };')
    await ports.remove('one')
    expect(sent.slice(1)).toEqual(['delete any-host-ports', 'delete hairpin'])
    expect(forgotten).toEqual([])
  })

  test('that a table which was broken does not take or give back: it is made anew', async () => {
    const ports = table()
    await ports.install()
    isBroken = true
    sent.length = 0
    await ports.add(web('one'))
    expect(sent.map((text) => text.includes('elements = { 6 . 80 : 10.244.1.2 . 80 };'))).toEqual([true])
    await ports.remove('one')
    isBroken = false
    expect(sent.slice(1).map((text) => text.includes('elements = { 6 . 80'))).toEqual([false])
    await ports.add(web('two'))
  })

  test('are put right again and again, until the kernel takes it', async () => {
    const clock = new FakeClock()
    let refusals = 3
    let installs = 0
    const stubborn = {
      run: () => (installs++ > 0 && refusals-- > 0 ? Promise.reject(new Error('ENOBUFS')) : Promise.resolve()),
      foreignChanges: async function* () {
        yield { family: 'ip', table: 'biplane-pods', pid: 1, process: 'nft' }
      },
    } as unknown as Nft
    const ports = new PodNatTable({ nft: stubborn, nodeAddresses: [], families: [4], forget: () => {}, clock, log: silentLogger })
    await ports.install()
    const run = ports.run(new AbortController().signal)
    for (let i = 0; i < 6; i++) await clock.advance(60_000)
    await run
    expect(installs).toBe(5)
  })

  test('of UDP forget who was sent to a pod that has them no more', async () => {
    const ports = table()
    await ports.install()
    await ports.add(web('one', { protocol: 'UDP', hostPort: 53 }))
    await ports.remove('one')
    expect(forgotten).toEqual(['10.0.0.1 53 *', '* 53 10.244.1.2'])
  })
})
