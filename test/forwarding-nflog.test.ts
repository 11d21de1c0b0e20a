import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatIp } from '../src/base/ip.ts'
import { openNflog, type LoggedPacket, type Nflog } from '../src/data-plane/forwarding/nflog/index.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'
import { poll } from './support/poll.ts'

const missing = labProblem()

describe.skipIf(missing !== '')(`packets that rules log${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let a: LabHost
  let b: LabHost
  let log: Nflog | undefined

  beforeAll(async () => {
    lab = await createNetworkLab()
    a = await lab.host('a')
    b = await lab.host('b')
    await lab.segment([
      { host: a, device: 'eth0', addresses: ['198.18.0.1/24', 'fd00::1/64'] },
      { host: b, device: 'eth0', addresses: ['198.18.0.2/24', 'fd00::2/64'] },
    ])
    await b.must(['nft', '-f', '-'], {
      input: `table inet t { chain in { type filter hook input priority 0;
        meta l4proto { tcp, udp } th dport 80 meta mark set 5 log prefix "policy default/web rule 2: " group 7 drop
        icmp type echo-request log prefix "ping" group 7
        icmpv6 type echo-request log prefix "ping6" group 7
        udp dport 99 log prefix "many" group 8 drop
        }
      }`,
    })
  })
  afterAll(async () => {
    log?.close()
    await lab.remove()
  })

  const udp = (to: string, port: number, count = 1): Promise<unknown> =>
    a.run(['bash', '-c', `for ((i = 0; i < ${count}; i++)); do echo x > /dev/udp/${to}/${port}; done`])
  const collect = (from: Nflog): LoggedPacket[] => {
    const seen: LoggedPacket[] = []
    void (async () => {
      for await (const packet of from) seen.push(packet)
    })()
    return seen
  }

  test('with their prefix, link, mark, and who talks to whom', async () => {
    log = openNflog({ group: 7, namespace: b.path })
    const seen = collect(log)
    const index = Number(await b.must(['cat', '/sys/class/net/eth0/ifindex']))
    const next = async (what: string, matches: (packet: LoggedPacket) => boolean): Promise<LoggedPacket> =>
      poll(what, () => seen.find(matches))
    await udp('198.18.0.2', 80)
    const first = await next('udp', ({ tuple }) => tuple?.protocol === 17)
    expect(first).toMatchObject({ prefix: 'policy default/web rule 2: ', hook: 1, mark: 5, inDevice: index, outDevice: 0 })
    expect([formatIp(first.tuple?.source as Uint8Array), formatIp(first.tuple?.destination as Uint8Array)]).toEqual([
      '198.18.0.1',
      '198.18.0.2',
    ])
    expect(first.tuple).toMatchObject({ destinationPort: 80, lengthBytes: 30 })
    await a.run(['bash', '-c', 'exec 3<>/dev/tcp/fd00::2/80'], { timeoutMs: 300 })
    const second = await next('tcp', ({ tuple }) => tuple?.protocol === 6)
    expect(formatIp(second.tuple?.source as Uint8Array)).toBe('fd00::1')
    expect(second.tuple).toMatchObject({ destinationPort: 80 })
    await a.must(['ping', '-c1', '198.18.0.2'])
    expect((await next('ping', ({ prefix }) => prefix === 'ping')).tuple).toMatchObject({ protocol: 1, icmpType: 8, icmpCode: 0 })
    await a.must(['ping', '-c1', 'fd00::2'])
    expect((await next('ping6', ({ prefix }) => prefix === 'ping6')).tuple).toMatchObject({ protocol: 58, icmpType: 128 })
    expect(log.dropped).toEqual({ queue: 0, kernel: 0 })
  })

  test('only one may listen to a group', () => {
    log ??= openNflog({ group: 7, namespace: b.path })
    expect(() => openNflog({ group: 7, namespace: b.path })).toThrow(expect.objectContaining({ code: 'EPERM' }))
  })

  test('a queue that nobody empties stays small and counts what it drops', async () => {
    const slow = openNflog({ group: 8, namespace: b.path, queue: 10 })
    await udp('198.18.0.2', 99, 60)
    await poll('the drops', () => (slow.dropped.queue === 50 ? true : undefined))
    const seen = collect(slow)
    await poll('the rest', () => (seen.length === 10 ? true : undefined))
    slow.close()
  })
})
