import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { createMetrics } from '../../../base/metrics.ts'
import { showPacketCounters } from './counter-metrics.ts'
import { countReasons, openDropReasons, type DropReasons } from './drop-reasons.ts'
import type { PacketCounters } from './packet-counters.ts'
import { parseConntrackStatistics, parseLinks, parseProtocolCounters, parseSnmp6, parseSoftnet } from './proc-net.ts'

describe('files below /proc/net', () => {
  test('snmp and netstat', () => {
    const text = 'Ip: Forwarding DefaultTTL InReceives\nIp: 2 64 996756\nUdp: InDatagrams NoPorts\nUdp: 7 3\nodd\n'
    expect(parseProtocolCounters(text)).toEqual({
      Ip: { Forwarding: 2, DefaultTTL: 64, InReceives: 996_756 },
      Udp: { InDatagrams: 7, NoPorts: 3 },
    })
  })

  test('snmp6', () => {
    expect(parseSnmp6('Ip6InReceives                   \t41\nUdp6NoPorts  2\nIcmp6InMsgs 9\n')).toEqual({
      Ip6: { InReceives: 41 },
      Udp6: { NoPorts: 2 },
      Icmp6: { InMsgs: 9 },
    })
  })

  test('softnet: the processor is named, or counted', () => {
    expect(parseSoftnet('00000010 00000001 00000002 0 0 0 0 0 0 0 0 0 00000003 0 0\n0000000a 0 0\n')).toEqual([
      { cpu: 3, processed: 16, dropped: 1, squeezed: 2 },
      { cpu: 1, processed: 10, dropped: 0, squeezed: 0 },
    ])
  })

  test('dev', () => {
    const text =
      'Inter-|   Receive   |  Transmit\n face |bytes    packets|bytes\n  eth0: 674 31 1 2 0 0 0 0 216 20 3 4 0 0 0 0\n    lo:138 9 0 0 0 0 0 0 138 9 0 0 0 0 0 0\n'
    expect(parseLinks(text)).toMatchObject([
      {
        device: 'eth0',
        receive: { bytes: 674, packets: 31, errors: 1, drops: 2 },
        transmit: { bytes: 216, packets: 20, errors: 3, drops: 4 },
      },
      { device: 'lo', receive: { bytes: 138, packets: 9 } },
    ])
  })

  test('nf_conntrack: summed over processors, but for what each says whole', () => {
    expect(parseConntrackStatistics('entries  drop early_drop\n00000005  00000001 00000000\n00000005  0000000a 00000002\n')).toEqual({
      entries: 5,
      drop: 11,
      early_drop: 2,
    })
  })

  test.each(['', '\n\n', 'x', 'Ip:\nIp:', ': 1 2\n'])('whatever stands there instead: %j', (text) => {
    for (const parse of [parseProtocolCounters, parseSnmp6, parseSoftnet, parseLinks, parseConntrackStatistics])
      expect(() => parse(text)).not.toThrow()
  })
})

describe('drop reasons', () => {
  test('are counted by name; what was lost is counted too', () => {
    const line = (reason: string): string =>
      `     ksoftirqd/0-15      [000] ..s..   2398.1: kfree_skb: skbaddr=0000 rx_sk=0000 protocol=2048 location=nf_hook_slow+0x1/0x2 reason: ${reason}\n`
    const text = `${line('NETFILTER_DROP')}CPU:0 [LOST 120 EVENTS]\n${line('NO_SOCKET')}${line('NETFILTER_DROP')}`
    const { byReason, lost } = countReasons(text)
    expect([...byReason]).toEqual([
      ['NETFILTER_DROP', 2],
      ['NO_SOCKET', 1],
    ])
    expect(lost).toBe(120)
  })

  test('a trace that cannot be read any more ends the counting, not the process', async () => {
    const root = mkdtempSync(join(tmpdir(), 'bpl-trace-'))
    const instance = join(root, 'instances', `biplane-${process.pid}`)
    // to read a directory is an error
    for (const path of [join(root, 'events/skb/kfree_skb'), join(instance, 'events/skb/kfree_skb'), join(instance, 'trace_pipe')])
      mkdirSync(path, { recursive: true })
    const clock = new FakeClock()
    const reasons = openDropReasons(clock, root) as DropReasons
    await clock.advance(5000)
    expect(reasons.problem?.what).toMatch(/EISDIR/)
    reasons.close()
    rmSync(root, { recursive: true })
  })

  test('where there is no tracefs it says what to do', () => {
    expect(openDropReasons(new FakeClock(), '/nowhere')).toMatchObject({
      what: expect.stringMatching(/tracefs/) as string,
      fix: expect.stringMatching(/mount/) as string,
    })
  })
})

describe('metrics', () => {
  test('take over the counters of the kernel, and go on when those begin anew', () => {
    const metrics = createMetrics()
    const counters = (noPorts: number): PacketCounters => ({
      protocols: { Udp: { NoPorts: noPorts, Odd: 5 } },
      softnet: [{ cpu: 0, processed: 5, dropped: 1, squeezed: 0 }],
      links: ['eth0', 'veth1'].map((device) => ({
        device,
        receive: { bytes: 1, packets: 2, errors: 3, drops: 4 },
        transmit: { bytes: 5, packets: 6, errors: 7, drops: 8 },
      })),
      conntrack: { entries: 3, limit: 10, drop: 2 },
      dropReasons: { byReason: { NO_SOCKET: 4 }, lost: 0 },
      missing: [],
    })
    let now = counters(10)
    showPacketCounters(metrics, { read: () => now, close: () => {} })
    const first = metrics.render()
    for (const line of [
      'node_netstat_Udp_NoPorts 10',
      'node_softnet_dropped_total{cpu="0"} 1',
      'node_network_receive_drop_total{device="eth0"} 4',
      'node_network_transmit_errs_total{device="eth0"} 7',
      'node_nf_conntrack_entries 3',
      'node_nf_conntrack_stat_drop 2',
      'biplane_packet_drops_total{reason="NO_SOCKET"} 4',
    ])
      expect(first).toContain(`${line}\n`)
    expect(first).not.toContain('veth1')
    expect(first).not.toContain('Odd')
    now = counters(12)
    expect(metrics.render()).toContain('node_netstat_Udp_NoPorts 12\n')
    now = counters(5)
    expect(metrics.render()).toContain('node_netstat_Udp_NoPorts 17\n')
  })
})
