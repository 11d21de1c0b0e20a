import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ChildProcess } from 'node:child_process'
import type { Pod } from '../src/api/generated/types.ts'
import { openNft } from '../src/data-plane/forwarding/nft/index.ts'
import { Interception } from '../src/data-plane/node/mesh/index.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'

const missing = labProblem()

/** Says on which port a connection came in. As in a pod: the application at its ports, the sidecar at its own. */
const LISTENERS = `
const { createServer } = require('node:net')
let open = 0
const ports = [8080, 9000, 15001, 15006, 15008, 15021]
for (const port of ports) {
  createServer((socket) => socket.end(String(port))).listen(port, '::', () => { if (++open === ports.length) console.log('up') })
}`

describe.skipIf(missing !== '')(`interception${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let pod: LabHost
  let outside: LabHost
  const running: ChildProcess[] = []

  beforeAll(async () => {
    lab = await createNetworkLab()
    pod = await lab.host('pod')
    outside = await lab.host('outside')
    await lab.segment([
      { host: pod, device: 'eth0', addresses: ['198.18.0.1/24', 'fd00::1/64'] },
      { host: outside, device: 'eth0', addresses: ['198.18.0.2/24', 'fd00::2/64'] },
    ])
    await pod.must(['ip', 'route', 'add', 'default', 'via', '198.18.0.2'])
    await pod.must(['ip', '-6', 'route', 'add', 'default', 'via', 'fd00::2'])
    for (const host of [pod, outside]) {
      const child = host.spawn([process.execPath, '-e', LISTENERS], { stdio: ['ignore', 'pipe', 'ignore'] })
      running.push(child)
      await new Promise((resolve) => child.stdout?.once('data', resolve))
    }
    const interception = new Interception({
      namespaceOf: () => pod.path,
      openNft: (namespace) => openNft({ namespace }),
    })
    const meshed: Pod = {
      metadata: {
        name: 'p',
        annotations: { 'traffic.kuma.io/exclude-inbound-ports': '9000', 'traffic.kuma.io/exclude-outbound-ports': '9000, nonsense' },
      },
      spec: { containers: [], initContainers: [{ name: 'biplane-proxy' }] },
    }
    await interception.protect(meshed)
    // as after a restart of the agent
    await interception.protect(meshed)
  })
  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL')
    await lab.remove()
  })

  /** The port that answers a connection of a user of a host; '' where nothing does. */
  async function answers(host: LabHost, address: string, port: number, uid = 65_534): Promise<string> {
    const script = `exec 3<>/dev/tcp/${address}/${port} && timeout 2 cat <&3`
    return (await host.run(['setpriv', `--reuid=${uid}`, '--clear-groups', 'bash', '-c', script], { timeoutMs: 4000 })).stdout.trim()
  }

  test.each([
    ['to another machine', '198.18.0.2', 8080, '15001'],
    ['to another machine, IPv6', 'fd00::2', 8080, '15001'],
    ['to an address nobody has', '203.0.113.9', 443, '15001'],
    ['to a port that is excluded', '198.18.0.2', 9000, '9000'],
    ['to the pod itself', '198.18.0.1', 8080, '8080'],
    ['to localhost', '127.0.0.1', 8080, '8080'],
  ])('the application dials %s', async (_, address, port, expected) => {
    expect(await answers(pod, address, port)).toBe(expected)
  })

  test('what the sidecar dials is left alone', async () => {
    expect(await answers(pod, '198.18.0.2', 8080, 5678)).toBe('8080')
  })

  test.each([
    ['a port of the application', '198.18.0.1', 8080, '15006'],
    ['a port of the application, IPv6', 'fd00::1', 8080, '15006'],
    ['a port on which nothing listens', '198.18.0.1', 4444, '15006'],
    ["the sidecar's way out", '198.18.0.1', 15_001, '15006'],
    ['the mesh port', '198.18.0.1', 15_008, '15008'],
    ['the health port', '198.18.0.1', 15_021, '15021'],
    ['a port that is excluded', '198.18.0.1', 9000, '9000'],
  ])('somebody dials %s', async (_, address, port, expected) => {
    expect(await answers(outside, address, port, 0)).toBe(expected)
  })

  test('without a sidecar nothing gets to the application', async () => {
    running[0]?.kill('SIGKILL')
    await new Promise((resolve) => running[0]?.once('exit', resolve))
    const child = pod.spawn([process.execPath, '-e', LISTENERS.replace('15001, 15006, ', '')], { stdio: ['ignore', 'pipe', 'ignore'] })
    running.push(child)
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    expect(await answers(outside, '198.18.0.1', 8080, 0)).toBe('')
  })
})
