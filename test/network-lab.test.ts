import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeNetworkNamespace } from '../src/base/linux/network-namespace.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab, type Segment } from '../src/testing/network-lab/index.ts'

const missing = labProblem()

describe.skipIf(missing !== '')(`the network lab${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let a: LabHost
  let b: LabHost
  let wire: Segment

  beforeAll(async () => {
    lab = await createNetworkLab()
    a = await lab.host('a')
    b = await lab.host('b')
    wire = await lab.segment([
      { host: a, device: 'eth0', addresses: ['198.18.0.1/24', 'fd00::1/64'] },
      { host: b, device: 'eth0', addresses: ['198.18.0.2/24', 'fd00::2/64'] },
    ])
  })
  afterAll(() => lab.remove())

  const reaches = async (address: string): Promise<boolean> =>
    (await a.run(['bash', '-c', `exec 3<>/dev/tcp/${address}/9`], { timeoutMs: 400 })).stderr.includes('refused')
  const carrier = async (): Promise<string> => (await b.must(['cat', '/sys/class/net/eth0/carrier'])).trim()

  test('hosts reach each other over both families', async () => {
    expect(await reaches('198.18.0.2')).toBe(true)
    expect(await reaches('fd00::2')).toBe(true)
  })

  test('a cut takes the carrier of one end, and heals', async () => {
    await wire.cut(b)
    expect(await carrier().catch(() => '0')).toBe('0')
    expect(await reaches('198.18.0.2')).toBe(false)
    await wire.heal(b)
    expect(await carrier()).toBe('1')
    expect(await reaches('198.18.0.2')).toBe(true)
  })

  test('a black hole keeps the carrier', async () => {
    await wire.blackhole(b)
    expect(await carrier()).toBe('1')
    expect(await reaches('198.18.0.2')).toBe(false)
    await wire.heal(b)
    expect(await reaches('198.18.0.2')).toBe(true)
  })

  test('what runs inside a host sees its network, and only for that long', () => {
    const routes = (): string => readFileSync('/proc/thread-self/net/route', 'utf8')
    // 198.18.0.0/24 as the kernel prints it
    expect(a.inside(routes)).toContain('000012C6')
    expect(routes()).not.toContain('000012C6')
  })

  test('a name without a namespace, as a killed process leaves it, can be removed', () => {
    const path = `${a.path}-half`
    writeFileSync(path, '')
    removeNetworkNamespace(path)
    expect(existsSync(path)).toBe(false)
    expect(() => removeNetworkNamespace(path)).toThrow(/ENOENT/)
  })

  test('removal leaves nothing, whatever still runs', async () => {
    const other = await createNetworkLab()
    const host = await other.host('gone')
    const child = host.spawn(['sleep', '60'])
    const ended = new Promise((resolve) => child.once('exit', resolve))
    await other.remove()
    await ended
    expect(existsSync(host.path)).toBe(false)
  })
})
