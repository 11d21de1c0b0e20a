import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endpointSlices } from '../src/api/discovery/v1/endpoint-slice.ts'
import { secrets } from '../src/api/core/v1/secret.ts'
import { services } from '../src/api/core/v1/service.ts'
import { bgpPeers } from '../src/api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import { routers } from '../src/api/routing.biplane.dev/v1alpha1/router.ts'
import { dataLayout } from '../src/cli/compose/layout.ts'
import { routerSocketPath } from '../src/cli/compose/router-socket.ts'
import { askSocket } from '../src/cli/packets/ask-socket.ts'
import { labProblem, type LabHost } from '../src/testing/network-lab/index.ts'
import { Bird, birdProblem } from './bgp-support/bird.ts'
import { startTraffic } from './bgp-support/traffic.ts'
import { LabCluster } from './support/lab-cluster.ts'
import { poll } from './support/poll.ts'
import { requirements } from './support/requirements.ts'

const { kubectl, missing: noCluster } = await requirements({ root: true })
const missing = labProblem() || birdProblem() || noCluster

const MANIFEST = `
apiVersion: routing.biplane.dev/v1alpha1
kind: Router
metadata: {name: default}
spec: {asn: 65001}
---
apiVersion: routing.biplane.dev/v1alpha1
kind: RoutePolicy
metadata: {name: all}
spec: {defaultAction: Accept}
---
apiVersion: v1
kind: Secret
metadata: {name: bgp, namespace: kube-system}
stringData: {password: s3cret}
---
apiVersion: routing.biplane.dev/v1alpha1
kind: BGPPeer
metadata: {name: tor}
spec:
  address: 192.0.2.2
  asn: 65002
  passwordSecretRef: {name: bgp}
  importPolicies: [all]
  exportPolicies: [all]
  timers: {connectRetrySeconds: 1}
`
const BIRD = `
router id 192.0.2.2;
protocol static s4 { ipv4; route 198.51.100.0/24 blackhole; }
protocol bgp peer {
  local 192.0.2.2 as 65002;
  neighbor 192.0.2.1 as 65001;
  password "s3cret";
  connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export all; next hop self; };
}
`

describe.skipIf(missing !== '')(`the router of a node${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let cluster: LabCluster
  let tor: LabHost
  let bird: Bird

  beforeAll(async () => {
    cluster = await LabCluster.start({ nodes: ['a'] })
    tor = await cluster.lab.host('tor')
    await cluster.lab.segment([
      { host: cluster.node('a').host, device: 'up0', addresses: ['192.0.2.1/24'] },
      { host: tor, device: 'eth0', addresses: ['192.0.2.2/24'] },
    ])
    await tor.must(['ip', 'address', 'add', '198.51.100.1/32', 'dev', 'lo'])
    bird = await Bird.start(tor, BIRD)
  })
  afterAll(async () => {
    await bird?.stop()
    await cluster?.stop()
  })

  const run = (args: readonly string[], input = ''): Promise<string> => execKubectl([...args, '--kubeconfig', cluster.kubeconfig], input)
  const state = (): string => dataLayout(cluster.node('a').dataDir).node('a').state
  const pidOfRouter = (): number => {
    const record = JSON.parse(readFileSync(join(state(), 'router/process.json'), 'utf8')) as { readonly pid: number }
    return record.pid
  }
  const ask = <T>(target: string): Promise<T> => askSocket(routerSocketPath(cluster.node('a').dataDir, 'a'), target) as Promise<T>
  const peerState = async (): Promise<string | undefined> => {
    const { peers } = await ask<{ readonly peers: readonly { readonly name: string; readonly state?: string }[] }>('/peers')
    return peers.find(({ name }) => name === 'tor')?.state
  }
  const established = (): Promise<unknown> =>
    poll('the session', async () => ((await peerState()) === 'Established' ? true : undefined)).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${readFileSync(join(state(), 'router.log'), 'utf8').slice(-3_000)}`)
    })
  const another = (before: number): Promise<number> =>
    poll('another router process', () => {
      const now = pidOfRouter()
      return now === before ? undefined : now
    })

  test('is what kubectl applies, and kubectl shows and explains it', async () => {
    await run(['apply', '-f', '-'], MANIFEST)
    await established()
    const shown = await poll('the status', async () => {
      const text = await run(['get', 'bgppeers'])
      return /tor\s+192\.0\.2\.2\s+65002\s+Established\s+1\s+1/.test(text) ? text : undefined
    })
    expect(shown).toMatch(/^NAME\s+ADDRESS\s+ASN\s+STATE\s+RECEIVED\s+SENT\s+AGE/)
    expect(await run(['get', 'routers'])).toMatch(/default\s+65001\s+1\s+1\/1/)
    const peer = await cluster.client.of(bgpPeers).get('tor')
    expect(peer.status?.sessions?.['a']).toMatchObject({ state: 'Established', asn: 65_002, routerID: '192.0.2.2', prefixesReceived: 1 })
    expect(await run(['explain', 'bgppeers.spec.timers'])).toMatch(/holdSeconds\s+<integer>/)
    await bird.shows('show route protocol peer', /10\.244\.\d+\.0\/24/)
    expect(await cluster.node('a').host.must(['ip', 'route', 'show', 'proto', '190'])).toMatch(/198\.51\.100\.0\/24 via 192\.0\.2\.2/)
    const explained = await ask<{ readonly candidates: readonly { readonly state: string }[] }>('/explain?prefix=198.51.100.0/24')
    expect(explained.candidates).toMatchObject([{ state: 'best' }])
  })

  test('kubectl is refused what makes no sense, with the reason', async () => {
    const refused = run(
      ['create', '-f', '-'],
      MANIFEST.replace('192.0.2.2\n', '192.0.2.256\n').replaceAll(/name: (default|all|bgp|tor)/g, 'name: x$1'),
    )
    await expect(refused).rejects.toThrow('spec.address: Invalid value: "192.0.2.256": must be an IP address')
    await run(['delete', 'router/xdefault', 'routepolicy/xall', 'secret/xbgp', '-n', 'kube-system', '--ignore-not-found'])
  })

  test('announces a load balancer while it has a ready endpoint on the node', async () => {
    const here = { namespace: 'default' }
    await cluster.client.of(services).create({
      metadata: { name: 'web', ...here },
      spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports: [{ port: 80 }] },
    })
    const web = await cluster.client.of(services).get('web', here)
    await cluster.client.of(services).updateStatus({ ...web, status: { loadBalancer: { ingress: [{ ip: '203.0.113.7' }] } } })
    const slice = await cluster.client.of(endpointSlices).create({
      metadata: { name: 'web-1', ...here, labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.244.0.9'], nodeName: 'elsewhere', conditions: { ready: true } }],
      ports: [{ port: 80 }],
    })
    await cluster.client.of(endpointSlices).update({
      ...slice,
      endpoints: [{ addresses: ['10.244.0.9'], nodeName: 'a', conditions: { ready: true } }],
    })
    await bird.shows('show route for 203.0.113.7/32', /203\.0\.113\.7\/32/)
    await cluster.client.of(endpointSlices).delete('web-1', here)
    await poll('the withdrawal', async () => ((await bird.show('show route protocol peer')).includes('203.0.113.7') ? undefined : true))
  })

  test('an upgrade (SIGTERM), a crash and a dead control plane lose no packet', async () => {
    const startMs = performance.now()
    const at: string[] = []
    const mark = (what: string): void => void at.push(`${what} ${Math.round(performance.now() - startMs)}`)
    const traffic = await startTraffic(cluster.node('a').host, tor, '198.51.100.1')
    let pid = pidOfRouter()
    process.kill(pid, 'SIGTERM')
    mark('SIGTERM')
    pid = await another(pid)
    await established()
    await cluster.kill('control-plane')
    mark('control plane dead')
    process.kill(pid, 'SIGKILL')
    mark('SIGKILL')
    pid = await another(pid)
    // from the last good copy, password included
    await established()
    await bird.shows('show route protocol peer', /10\.244\.\d+\.0\/24/)
    await cluster.startControlPlane()
    mark('control plane back')
    const { sent, lost, lostAtMs } = await traffic.stop()
    console.log(
      `upgrade and crash of the router: ${sent} datagrams through a learned route, ${lost} lost ${lostAtMs.join(' ')} (${at.join(', ')})`,
    )
    expect(lost).toBe(0)
  })

  test('a change of the password alone is followed', async () => {
    const secret = await cluster.client.of(secrets).get('bgp', { namespace: 'kube-system' })
    await cluster.client.of(secrets).update({ ...secret, data: { password: Buffer.from('changed').toString('base64') } })
    await bird.configure(BIRD.replace('s3cret', 'changed'))
    await poll('the session with the new password', async () => {
      const { peers } = await ask<{ readonly peers: readonly { readonly state?: string; readonly transitions?: number }[] }>('/peers')
      return peers[0]?.state === 'Established' && (peers[0].transitions ?? 0) >= 2 ? true : undefined
    })
  })

  test('watches the path to a peer with BFD, in a thread of the same program', async () => {
    const peer = await cluster.client.of(bgpPeers).get('tor')
    const bfd = { minimumTransmitMilliseconds: 200, minimumReceiveMilliseconds: 200, detectMultiplier: 10 }
    await cluster.client.of(bgpPeers).update({ ...peer, spec: { ...peer.spec, bfd } })
    const watching = 'protocol bfd { neighbor 192.0.2.1 dev "eth0" local 192.0.2.2; }'
    await bird.configure(`${watching}${BIRD.replace('s3cret', 'changed')}`)
    await bird.shows('show bfd sessions', /192\.0\.2\.1\s+eth0\s+Up/)
    await poll('the router knows', async () => {
      const { peers } = await ask<{ readonly peers: readonly { readonly bfd?: string }[] }>('/peers')
      return peers[0]?.bfd === 'Up' ? true : undefined
    })
  })

  test('a drain (SIGUSR2) leads traffic away first', async () => {
    const pid = pidOfRouter()
    process.kill(pid, 'SIGUSR2')
    await bird.shows('show route protocol peer all', /BGP\.community: .*\(65535,0\)/)
    await another(pid)
    await established()
    await bird.shows('show route protocol peer all', /10\.244\.(?!.*\(65535,0\))/s)
  })

  test('takes its routes back when no Router selects the node any more', async () => {
    await cluster.client.of(routers).delete('default')
    await poll('no routes', async () =>
      (await cluster.node('a').host.must(['ip', 'route', 'show', 'proto', '190'])) === '' ? true : undefined,
    )
    await bird.shows('show protocols all peer', /(de-configured|hard reset|Hard reset|Active|Idle|Connect)/i)
  })
})

function execKubectl(args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(kubectl, [...args], { timeout: 60_000 }, (error, stdout, stderr) =>
      error ? reject(new Error(stderr)) : resolve(stdout),
    )
    child.stdin?.end(input)
  })
}
