import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseIp } from '../src/base/ip.ts'
import { openConntrackCleaner, type ConntrackCleaner } from '../src/data-plane/forwarding/conntrack/index.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'

const missing = labProblem() || (spawnSync('conntrack', ['-V']).error ? 'needs conntrack' : '')
const ip = (text: string): Uint8Array => parseIp(text) as Uint8Array

describe.skipIf(missing !== '')(`tracked flows of a namespace${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let host: LabHost
  let cleaner: ConntrackCleaner

  beforeAll(async () => {
    lab = await createNetworkLab()
    host = await lab.host('a')
    cleaner = openConntrackCleaner({ namespace: host.path })
  })
  afterAll(async () => {
    cleaner.close()
    await lab.remove()
  })

  /** As the kernel would keep it: a client's flow to a service, sent on to a backend. */
  const insert = async (protocol: string, clientPort: number, to: string, port: number, backend: string): Promise<void> => {
    const isIpv6 = to.includes(':')
    const client = isIpv6 ? 'fd00::9' : '10.0.0.9'
    const tuple = ['-s', client, '-d', to, '-r', backend, '-q', client]
    const ports = [
      '--sport',
      String(clientPort),
      '--dport',
      String(port),
      '--reply-port-src',
      '5353',
      '--reply-port-dst',
      String(clientPort),
    ]
    const more = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : []
    await host.must(['conntrack', '-I', '-p', protocol, ...tuple, ...ports, '-t', '600', ...more])
  }
  const left = async (): Promise<readonly string[]> => {
    const lists = await Promise.all(['ipv4', 'ipv6'].map((family) => host.must(['conntrack', '-L', '-f', family])))
    return lists
      .join('')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.replace(/^(\w+) .*? dst=(\S+) sport=(\d+) dport=(\d+) .*?src=(\S+) .*/, '$1 $3 $2 $4 $5'))
      .sort()
  }
  beforeEach(async () => {
    await host.run(['conntrack', '-F'])
    await insert('udp', 1001, '10.96.0.10', 53, '10.244.0.5')
    await insert('udp', 1002, '10.96.0.10', 53, '10.244.0.6')
    await insert('udp', 1003, '10.96.0.11', 53, '10.244.0.5')
    await insert('udp', 1004, '10.96.0.10', 54, '10.244.0.5')
    await insert('tcp', 1005, '10.96.0.10', 53, '10.244.0.5')
    await insert('udp', 1006, 'fd96::10', 53, 'fd44::5')
  })
  const ALL = [
    'tcp 1005 10.96.0.10 53 10.244.0.5',
    'udp 1001 10.96.0.10 53 10.244.0.5',
    'udp 1002 10.96.0.10 53 10.244.0.6',
    'udp 1003 10.96.0.11 53 10.244.0.5',
    'udp 1004 10.96.0.10 54 10.244.0.5',
    'udp 1006 fd96::10 53 fd44::5',
  ]
  const without = (...ports: readonly number[]): readonly string[] =>
    ALL.filter((line) => !ports.some((port) => line.includes(` ${port} `)))

  test('all flows to a service port, TCP excepted', async () => {
    expect(await left()).toEqual(ALL)
    expect(await cleaner.deleteUdp({ originalDestination: ip('10.96.0.10'), port: 53 })).toBe(2)
    expect(await left()).toEqual(without(1001, 1002))
  })

  test('only those of one backend', async () => {
    expect(await cleaner.deleteUdp({ originalDestination: ip('10.96.0.10'), port: 53, backend: { address: ip('10.244.0.5') } })).toBe(1)
    expect(await left()).toEqual(without(1001))
    expect(
      await cleaner.deleteUdp({ originalDestination: ip('10.96.0.10'), port: 53, backend: { address: ip('10.244.0.6'), port: 99 } }),
    ).toBe(0)
  })

  test('a port of any address, both families; several wishes in one look', async () => {
    const counts = await Promise.all([
      cleaner.deleteUdp({ port: 53, backend: { address: ip('10.244.0.5'), port: 5353 } }),
      cleaner.deleteUdp({ originalDestination: ip('fd96::10'), port: 53 }),
    ])
    expect(counts).toEqual([3, 3])
    expect(await left()).toEqual(without(1001, 1003, 1006))
  })

  test('nothing to delete', async () => {
    expect(await cleaner.deleteUdp({ originalDestination: ip('10.96.9.9'), port: 53 })).toBe(0)
    expect(await left()).toEqual(ALL)
  })
})
