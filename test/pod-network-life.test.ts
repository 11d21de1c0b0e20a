import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { events } from '../src/api/core/v1/event.ts'
import { pods } from '../src/api/core/v1/pod.ts'
import type { Pod } from '../src/api/generated/types.ts'
import { loadLibc } from '../src/base/linux/libc.ts'
import { dataLayout } from '../src/cli/compose/layout.ts'
import { netlinkWriter, probePodNetwork } from '../src/data-plane/node/network/index.ts'
import { labProblem, type LabHost } from '../src/testing/network-lab/index.ts'
import { ECHO_SERVER, EchoTraffic } from './support/echo.ts'
import { LabCluster } from './support/lab-cluster.ts'
import { poll } from './support/poll.ts'

const missing = labProblem()
const readinessProbe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 }
const server = { command: [process.execPath, '-e', ECHO_SERVER], container: { readinessProbe } }
const ipsOf = (pod: Pod): readonly string[] => pod.status?.podIPs?.map(({ ip }) => ip) ?? []
const curl = (ip: string, port = 8080): readonly string[] => [
  'curl',
  '-sS',
  '-g',
  '--max-time',
  '3',
  `http://${ip.includes(':') ? `[${ip}]` : ip}:${port}/`,
]

function hasSctp(): boolean {
  try {
    const libc = loadLibc()
    libc.close(libc.socket(2, 1, 132))
    return true
  } catch {
    return false
  }
}

describe.skipIf(missing !== '')(`the life of pods in the kernel's network${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let cluster: LabCluster

  beforeAll(async () => {
    cluster = await LabCluster.start({ nodes: ['a', 'b'] })
    await Promise.all([cluster.createPod('client', { node: 'a' }), cluster.createPod('server', { node: 'b', ...server })])
    await reaches('client', 'server')
  })
  afterAll(() => cluster?.stop())

  const reaches = async (from: string, to: string): Promise<void> => {
    const target = await cluster.readyPod(to)
    for (const ip of ipsOf(target)) {
      await poll(`${from} reaches ${ip}`, async () => (await cluster.inPod(from, curl(ip))).code === 0 || undefined)
    }
  }
  const saysReady = (node: string): number => cluster.logs(node).split('"stage":"ready"').length
  const restart = async (node: string): Promise<void> => {
    const before = saysReady(node)
    await cluster.kill(node)
    cluster.startNode(node)
    await poll(`the new agent of ${node} is ready`, () => (saysReady(node) > before ? true : undefined))
  }
  const linksOf = async (host: LabHost): Promise<readonly string[]> =>
    (await host.must(['ip', '-o', 'link'])).match(/bp[0-9a-f]{10}/g) ?? []

  test('an agent that is killed and started anew loses no packet and breaks no connection', async () => {
    const target = await cluster.readyPod('server')
    const inode = statSync(await cluster.namespaceOf('server')).ino
    const links = await cluster.node('b').host.must(['ip', '-o', 'link'])
    const traffic = await Promise.all(ipsOf(target).map(async (ip) => new EchoTraffic(ip, await cluster.namespaceOf('client'))))
    for (const one of traffic) await poll('traffic flows', () => (one.counts.connections > 10 ? true : undefined))
    for (const node of ['b', 'a']) {
      await restart(node)
      const at = traffic.map((one) => one.counts.connections)
      await poll('traffic went on', () => (traffic.every((one, i) => one.counts.connections > (at[i] as number) + 50) ? true : undefined))
    }
    for (const one of traffic) {
      const { sent, received, broken, refused, udpSent, udpReceived } = await one.stop()
      console.log(
        `agents of both nodes killed: ${sent} TCP and ${udpSent} UDP messages sent, ${sent - received} and ${udpSent - udpReceived} lost`,
      )
      expect({ lost: sent - received, broken, refused, udpLost: udpSent - udpReceived }).toEqual({
        lost: 0,
        broken: 0,
        refused: 0,
        udpLost: 0,
      })
    }
    expect(statSync(await cluster.namespaceOf('server')).ino).toBe(inode)
    expect(await cluster.node('b').host.must(['ip', '-o', 'link'])).toBe(links)
  })

  test('a cable that is pulled and put back heals', async () => {
    const wire = cluster.segments.get('lan')
    const [ip = ''] = ipsOf(await cluster.readyPod('server'))
    await wire?.cut(cluster.node('b').host)
    await poll('the server is out of reach', async () => (await cluster.inPod('client', curl(ip))).code !== 0 || undefined)
    await wire?.heal(cluster.node('b').host)
    await reaches('client', 'server')
  })

  test('a link that is set down and up again has its routes again', async () => {
    const { host } = cluster.node('a')
    await host.must(['ip', 'link', 'set', 'eth0', 'down'])
    expect(await host.must(['ip', 'route', 'show', 'proto', '191'])).not.toContain('via')
    await host.must(['ip', 'link', 'set', 'eth0', 'up'])
    await host.must(['ip', 'address', 'replace', `${cluster.node('a').addresses[1]}/64`, 'dev', 'eth0', 'nodad'])
    await reaches('client', 'server')
  })

  test('containers of a pod share 127.0.0.1, and nobody else has it', async () => {
    const probe = { exec: { command: ['curl', '-sS', '--max-time', '2', 'http://127.0.0.1:8080/'] }, periodSeconds: 1 }
    const beside = { name: 'beside', image: 'host', command: ['sleep', '3600'], readinessProbe: probe }
    const { spec } = await cluster.client.of(pods).create({
      metadata: { name: 'pair', namespace: 'default' },
      spec: {
        nodeName: 'a',
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'main', image: 'host', command: [...server.command] }, beside],
      },
    })
    expect(spec?.containers).toHaveLength(2)
    await cluster.readyPod('pair')
    expect((await cluster.inPod('client', curl('127.0.0.1'))).code).not.toBe(0)
    await cluster.deletePod('pair')
  })

  test('probes reach the pod by its own address', async () => {
    await cluster.createPod('probed', {
      node: 'b',
      ...server,
      container: { ...server.container, startupProbe: { tcpSocket: { port: 9000 }, periodSeconds: 1, failureThreshold: 30 } },
    })
    await cluster.deletePod('probed')
  })

  test('its log is read as ever', async () => {
    expect((await cluster.biplane('logs', 'server')).stdout).toContain('serving')
  })

  test("a pod of the node's network has the addresses of the node", async () => {
    const pod = await cluster.createPod('on-host', { node: 'a', ...server, spec: { hostNetwork: true } })
    expect(ipsOf(pod)).toEqual(cluster.node('a').addresses)
    expect((await cluster.control.run(curl(cluster.node('a').addresses[0]))).code).toBe(0)
    // the other way: such a pod, on another node, reaches pods
    expect((await cluster.node('a').host.run(curl(ipsOf(await cluster.readyPod('server'))[0] as string))).code).toBe(0)
    await cluster.deletePod('on-host')
  })

  test('host ports lead to the pod from outside, from the node, from itself, for every protocol', async () => {
    const ports = [
      { containerPort: 8080, hostPort: 7080 },
      { containerPort: 8080, hostPort: 7081, hostIP: '127.0.0.1' },
      { containerPort: 9000, hostPort: 7000, protocol: 'UDP' },
    ]
    await cluster.createPod('exposed', { node: 'b', ...server, container: { ...server.container, ports } })
    const { host, addresses } = cluster.node('b')
    for (const address of addresses) {
      expect((await cluster.control.run(curl(address, 7080))).stdout.trim()).toBe(cluster.controlAddresses[addresses.indexOf(address)])
      expect((await host.run(curl(address, 7080))).code).toBe(0)
      expect((await cluster.inPod('exposed', curl(address, 7080))).code).toBe(0)
      expect((await cluster.inPod('client', curl(address, 7080))).code).toBe(0)
      expect((await cluster.inPod('server', curl(address, 7080))).code).toBe(0)
    }
    expect((await host.run(curl('127.0.0.1', 7080))).stdout.trim()).toBe(addresses[0])
    expect((await host.run(curl('127.0.0.1', 7081))).code).toBe(0)
    expect((await cluster.control.run(curl(addresses[0], 7081))).code).not.toBe(0)
    const udp = await cluster.control.run(['bash', '-c', `exec 3<>/dev/udp/${addresses[0]}/7000; echo hello >&3; timeout 3 head -n1 <&3`])
    expect(udp.stdout).toBe('hello\n')

    await cluster.client.of(pods).create({
      metadata: { name: 'second', namespace: 'default' },
      spec: {
        nodeName: 'b',
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'main', image: 'host', command: ['sleep', '600'], ports: [{ containerPort: 1, hostPort: 7080 }] }],
      },
    })
    await poll('an event says why the second does not start', async () => {
      const found = await cluster.client.of(events).list({ namespace: 'default' })
      return found.items.some((event) => JSON.stringify(event).includes('host port 7080 of this node leads to another pod')) || undefined
    })
    await restart('b')
    expect((await cluster.control.run(curl(addresses[0], 7080))).code).toBe(0)
    await cluster.deletePod('exposed')
    // now the other may have it
    await cluster.readyPod('second')
    await cluster.deletePod('second')
    expect((await cluster.control.run(curl(addresses[0], 7080))).code).not.toBe(0)
  })

  test('SCTP has host ports too', async ({ skip }) => {
    if (spawnSync('socat', ['-V']).error) skip('needs socat')
    if (!hasSctp()) skip('the kernel has no SCTP')
    const ports = [{ containerPort: 9100, hostPort: 7100, protocol: 'SCTP' }]
    const readiness = { exec: { command: ['grep', '-q', ' 9100 ', '/proc/net/sctp/eps'] }, periodSeconds: 1 }
    await cluster.createPod('sctp', {
      node: 'b',
      command: ['socat', 'SCTP-LISTEN:9100,fork,reuseaddr', 'PIPE'],
      container: { ports, readinessProbe: readiness },
    })
    const [address] = cluster.node('b').addresses
    const { stdout } = await cluster.control.run(['socat', '-t2', '-', `SCTP:${address}:7100`], { input: 'hello\n' })
    expect(stdout).toBe('hello\n')
    await cluster.deletePod('sctp')
  })

  test('a table that a stranger has deleted is put back', async () => {
    const { host, addresses } = cluster.node('a')
    await cluster.createPod('steady', {
      node: 'a',
      ...server,
      container: { ...server.container, ports: [{ containerPort: 8080, hostPort: 7090 }] },
    })
    await host.must(['nft', 'delete', 'table', 'ip', 'biplane-pods'])
    await poll(
      'the host port leads to the pod again',
      async () => (await cluster.control.run(curl(addresses[0], 7090))).code === 0 || undefined,
    )
    expect(cluster.logs('a')).toContain('another program has changed a table of the pod network')
    await cluster.deletePod('steady')
  })

  test('nothing is left of a deleted pod, nor of one that died while no agent ran', async () => {
    const { host, dataDir } = cluster.node('a')
    const names = join(dataLayout(dataDir).node('a').pods, 'netns')
    const before = await linksOf(host)
    const [first] = ipsOf(await cluster.createPod('gone', { node: 'a' }))
    const [second] = ipsOf(await cluster.createPod('orphan', { node: 'a' }))
    await cluster.kill('a')
    await cluster.client.of(pods).delete('gone', { namespace: 'default' })
    cluster.startNode('a')
    await cluster.deletePod('orphan')
    await poll('links, namespaces and routes are gone', async () => {
      const routes = await host.must(['ip', 'route', 'show', 'proto', '191'])
      return (
        ((await linksOf(host)).length === before.length &&
          readdirSync(names).length === 1 &&
          !routes.includes(`${first} `) &&
          !routes.includes(`${second} `)) ||
        undefined
      )
    })
  })

  test('freed addresses come back last', async () => {
    const [first] = ipsOf(await cluster.createPod('one', { node: 'a' }))
    await cluster.deletePod('one')
    await restart('a')
    const [second] = ipsOf(await cluster.createPod('two', { node: 'a' }))
    expect(second).not.toBe(first)
    await cluster.deletePod('two')
  })

  test('what is missing is said in words that help', async () => {
    const probe = (): ReturnType<typeof probePodNetwork> => probePodNetwork({ links: netlinkWriter, needsTunnel: true })
    expect(await probe()).toEqual([])
    const path = process.env['PATH']
    process.env['PATH'] = '/nowhere'
    try {
      const [problem, ...others] = await probe()
      expect(problem?.what).toContain('no address translation by nf_tables')
      expect(problem?.fix).toContain('install nftables')
      expect(others).toEqual([])
    } finally {
      process.env['PATH'] = path
    }
  })

  test('a second agent in the same network is refused, and the first is not disturbed', async () => {
    const control = join(cluster.dir, 'control')
    const flags = [
      '--server',
      'https://192.168.50.10:6443',
      '--ca-file',
      join(control, 'control-plane/pki/ca.crt'),
      '--data-dir',
      join(cluster.dir, 'second'),
    ]
    const address = cluster.node('a').addresses[0]
    const { code, stderr } = await cluster.biplaneOn('a', [
      'node',
      '--name',
      'second',
      ...flags,
      '--address',
      address,
      '--network',
      'kernel',
    ])
    expect(code).not.toBe(0)
    expect(stderr).toContain('another node of this machine keeps its pod network in the kernel')
    await reaches('client', 'server')
  })

  test('without a control plane a new agent goes on from what it knew', async () => {
    const [ip = ''] = ipsOf(await cluster.readyPod('server'))
    const namespace = await cluster.namespaceOf('client')
    for (const name of ['control-plane', 'b', 'a']) await cluster.kill(name)
    // not ready: there is nobody to tell. Its routes are put right all the same
    await cluster.node('a').host.must(['ip', 'route', 'del', `${ip.split('.').slice(0, 3).join('.')}.0/24`])
    cluster.startNode('b')
    cluster.startNode('a')
    await poll('the client reaches the server', async () => (await cluster.inNamespace(namespace, curl(ip))).code === 0 || undefined)
    await cluster.startControlPlane()
    await Promise.all(['a', 'b'].map((node) => cluster.ready(node)))
    await reaches('client', 'server')
  })

  test('an agent that ends leaves all running; "biplane down" takes it away', async () => {
    await cluster.kill('b', 'SIGTERM')
    await reaches('client', 'server')
    const { host, dataDir } = cluster.node('b')
    const { code, stderr } = await cluster.biplaneOn('b', ['down', '--data-dir', dataDir])
    expect(code, stderr).toBe(0)
    expect(await host.must(['ip', 'route', 'show', 'proto', '191'])).toBe('')
    expect(await host.must(['ip', '-6', 'route', 'show', 'proto', '191'])).toBe('')
    expect(await host.must(['nft', 'list', 'tables'])).not.toContain('biplane-pods')
    expect(await host.must(['ip', '-o', 'link'])).not.toContain('biplane.vxlan')
    await poll('the links of its pods are gone', async () => (await linksOf(host)).length === 0 || undefined)
    expect(
      existsSync(join(dataLayout(dataDir).node('b').pods, 'netns')) ? readdirSync(join(dataLayout(dataDir).node('b').pods, 'netns')) : [],
    ).toEqual([])
  })
})
