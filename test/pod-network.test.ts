import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pod } from '../src/api/generated/types.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { LabCluster } from './support/lab-cluster.ts'
import { poll } from './support/poll.ts'

const missing = labProblem()
const suffix = missing === '' ? '' : ` (skipped: ${missing})`

/** Answers every request with the address it came from. */
const SERVER = `
const http = require('node:http')
const body = Buffer.alloc(3_000_000, 'x')
http.createServer((request, response) => {
  if (request.url === '/big') return response.end(body)
  response.end(request.socket.remoteAddress.replace('::ffff:', '') + '\\n')
}).listen(8080, '::')
`
const server = { command: [process.execPath, '-e', SERVER], container: { ports: [{ containerPort: 8080 }] } }
const ipsOf = (pod: Pod): readonly string[] => pod.status?.podIPs?.map(({ ip }) => ip) ?? []
const url = (ip: string, path = '/'): string => `http://${ip.includes(':') ? `[${ip}]` : ip}:8080${path}`
const curl = (...args: readonly string[]): readonly string[] => ['curl', '-sS', '-g', '--max-time', '5', ...args]

describe.skipIf(missing !== '').each([
  ['on one link, without a tunnel', 'lan', 1500],
  ['behind a router, through VXLAN', 'routed', 1450],
] as const)(`pods of three nodes %s${suffix}`, (_title, topology, mtu) => {
  let cluster: LabCluster
  const pods = new Map<string, Pod>()

  beforeAll(async () => {
    cluster = await LabCluster.start({
      topology,
      // somebody on one machine has the port and the number of the tunnel
      prepare: async ({ nodes }) => {
        await nodes[2]?.host.must(['ip', 'link', 'add', 'taken', 'type', 'vxlan', 'id', '25200', 'dstport', '4789', 'dev', 'eth0'])
      },
    })
    await Promise.all(
      cluster.nodes.map(async ({ name }) => pods.set(name, await cluster.createPod(`on-${name}`, { node: name, ...server }))),
    )
    // nodes learn of each other one after another
    await poll('every node has its way to every other', async () => {
      for (const from of pods.keys()) {
        for (const to of pods.values()) {
          for (const ip of ipsOf(to)) if ((await cluster.inPod(`on-${from}`, curl(url(ip)))).code !== 0) return undefined
        }
      }
      return true
    })
  })
  afterAll(() => cluster?.stop())

  test('have one address of each family, out of the range of their node', async () => {
    for (const [name, pod] of pods) {
      const { stdout } = await cluster.node(name).host.run(['ip', 'route', 'show', 'proto', '191'])
      const range = /unreachable (10\.244\.\d+)\.0\/24/.exec(stdout)?.[1] ?? 'none'
      expect(ipsOf(pod)[0]).toMatch(new RegExp(`^${range.replaceAll('.', '\\.')}\\.`))
      expect(ipsOf(pod)[1]).toMatch(/^fd00:10:244:/)
    }
  })

  test('see each other under their own addresses', async () => {
    for (const from of pods.keys()) {
      for (const to of pods.values()) {
        for (const [i, ip] of ipsOf(to).entries()) {
          const { stdout } = await cluster.inPod(`on-${from}`, curl(url(ip)))
          expect(stdout.trim()).toBe(ipsOf(pods.get(from) as Pod)[i])
        }
      }
    }
  })

  test(`pass packets of ${mtu} bytes, and say so of bigger ones`, async () => {
    const [from, to] = [pods.get('a'), pods.get('b')] as [Pod, Pod]
    const ping = (size: number, ip: string): readonly string[] => ['ping', '-n', '-c1', '-W3', '-M', 'do', '-s', String(size), ip]
    const [ip4, ip6] = ipsOf(to) as [string, string]
    // the first packet that is too big is how a sender learns
    await cluster.inPod(from.metadata.name ?? '', ping(1472, ip4))
    for (const [ip, head] of [
      [ip4, 28],
      [ip6, 48],
    ] as const) {
      expect((await cluster.inPod('on-a', ping(mtu - head, ip))).code).toBe(0)
      expect((await cluster.inPod('on-a', ping(mtu - head + 1, ip))).code).not.toBe(0)
      const { stdout } = await cluster.inPod('on-a', curl('-o', '/dev/null', '-w', '%{size_download}', url(ip, '/big')))
      expect(stdout).toBe('3000000')
    }
  })

  test('are reached from their node and from the other nodes', async () => {
    for (const { host } of cluster.nodes) {
      for (const ip of ipsOf(pods.get('b') as Pod)) expect((await host.run(curl(url(ip)))).code).toBe(0)
    }
  })

  test('go out under the address of their node', async () => {
    const outside = cluster.control.spawn([process.execPath, '-e', SERVER])
    const address = cluster.controlAddresses
    await poll('the server outside answers', async () => (await cluster.control.run(curl(url('127.0.0.1')))).code === 0 || undefined)
    for (const [i, ip] of address.entries()) {
      const { stdout } = await cluster.inPod('on-a', curl(url(ip)))
      expect(stdout.trim()).toBe(cluster.node('a').addresses[i])
    }
    outside.kill('SIGKILL')
  })

  test.runIf(topology === 'routed')('a tunnel that somebody takes away comes back', async () => {
    const { host } = cluster.node('a')
    await host.must(['ip', 'link', 'delete', 'biplane.vxlan'])
    const [ip = ''] = ipsOf(pods.get('b') as Pod)
    const isReached = async (): Promise<true | undefined> => (await cluster.inPod('on-a', curl(url(ip)))).code === 0 || undefined
    await poll('the device is there', async () => (await host.run(['ip', 'link', 'show', 'biplane.vxlan'])).code === 0 || undefined, {
      withinMs: 60_000,
    })
    await poll('the other pod is reached again', isReached, { withinMs: 60_000 })
  })
})
