import { existsSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadLibc } from '../src/base/linux/libc.ts'
import { openPacketCounters, type PacketCounterSource } from '../src/data-plane/forwarding/counters/index.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'
import { poll } from './support/poll.ts'

const MNT_DETACH = 2

/** A tracefs of our own, so that none needs to be mounted. */
function mountTracefs(): { readonly path: string; readonly problem: string } {
  if (labProblem() !== '') return { path: '', problem: labProblem() }
  const path = mkdtempSync(join(tmpdir(), 'tracefs-'))
  try {
    loadLibc().mount('tracefs', path, 'tracefs', 0)
    if (existsSync(join(path, 'events/skb/kfree_skb'))) return { path, problem: '' }
    loadLibc().umount(path, MNT_DETACH)
  } catch {
    // said below
  }
  rmdirSync(path)
  return { path: '', problem: 'needs tracefs with kfree_skb' }
}

const tracefs = mountTracefs()
const missing = tracefs.problem

describe.skipIf(missing !== '')(`what became of packets${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let a: LabHost
  let b: LabHost
  let source: PacketCounterSource

  beforeAll(async () => {
    lab = await createNetworkLab()
    a = await lab.host('a')
    b = await lab.host('b')
    await lab.segment([
      { host: a, device: 'eth0', addresses: ['198.18.0.1/24', 'fd00::1/64'] },
      { host: b, device: 'eth0', addresses: ['198.18.0.2/24', 'fd00::2/64'] },
    ])
    source = openPacketCounters({ namespace: b.path, tracefs: tracefs.path })
  })
  afterAll(async () => {
    source.close()
    loadLibc().umount(tracefs.path, MNT_DETACH)
    rmdirSync(tracefs.path)
    await lab.remove()
  })

  const udp = (to: string, port: number, count: number): Promise<unknown> =>
    a.run(['bash', '-c', `for ((i = 0; i < ${count}; i++)); do echo x > /dev/udp/${to}/${port}; done 2> /dev/null`])

  test('packets to a port without a socket are counted in their namespace, both families', async () => {
    const before = source.read()
    await udp('198.18.0.2', 99, 5)
    await udp('fd00::2', 99, 3)
    const after = await poll('the counters', () => {
      const now = source.read()
      return (now.protocols['Udp6']?.['NoPorts'] ?? 0) >= (before.protocols['Udp6']?.['NoPorts'] ?? 0) + 3 ? now : undefined
    })
    expect((after.protocols['Udp']?.['NoPorts'] ?? 0) - (before.protocols['Udp']?.['NoPorts'] ?? 0)).toBe(5)
    expect(after.links.map(({ device }) => device).sort()).toEqual(['eth0', 'lo'])
    expect(after.softnet.length).toBeGreaterThan(0)
    expect(after.missing).toEqual([])
  })

  test('what a rule drops is counted by the reason that the kernel gives', async () => {
    await b.must(['nft', '-f', '-'], {
      input: 'table inet t { chain in { type filter hook input priority 0; udp dport 80 drop; }\n}',
    })
    const drops = (): number => source.read().dropReasons?.byReason['NETFILTER_DROP'] ?? 0
    const before = drops()
    await udp('198.18.0.2', 80, 20)
    await poll('twenty drops', () => (drops() >= before + 20 ? true : undefined))
  })

  test('nothing is left of the trace when it is closed', () => {
    const instances = join(tracefs.path, 'instances')
    expect(readdirSync(instances)).toContain(`biplane-${process.pid}`)
    source.close()
    expect(readdirSync(instances)).not.toContain(`biplane-${process.pid}`)
  })
})
