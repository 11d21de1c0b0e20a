import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findCondition } from '../src/api/conditions.ts'
import { leases } from '../src/api/coordination/v1/lease.ts'
import { nodes } from '../src/api/core/v1/node.ts'
import { services } from '../src/api/core/v1/service.ts'
import { networkPolicies } from '../src/api/networking/v1/network-policy.ts'
import { routers } from '../src/api/routing.biplane.dev/v1alpha1/router.ts'
import { staticRoutes } from '../src/api/routing.biplane.dev/v1alpha1/static-route.ts'
import type { VerdictReport } from '../src/cli/packets/ask-verdict.ts'
import { parseApplied } from '../src/policy/applied.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { LabCluster } from './support/lab-cluster.ts'
import { poll } from './support/poll.ts'
import { requirements } from './support/requirements.ts'

const needed = await requirements({ root: true })
const missing = [needed.missing, labProblem()].filter((text) => text !== '').join(', ')
const SERVER = "require('http').createServer((q, r) => r.end('here')).listen(8080, '::')"
const meta = (name: string): { name: string; namespace: string } => ({ name, namespace: 'default' })

/** What the commands say of packets is what becomes of them. */
describe.skipIf(missing !== '')(`commands that look at packets${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let cluster: LabCluster
  beforeAll(async () => {
    cluster = await LabCluster.start({ nodes: ['a', 'b'] })
    const { client } = cluster
    await client.of(services).create({ metadata: meta('db'), spec: { selector: { app: 'db' }, ports: [{ port: 80, targetPort: 8080 }] } })
    await client.of(networkPolicies).create({
      metadata: meta('web-only'),
      spec: {
        podSelector: { matchLabels: { app: 'db' } },
        policyTypes: ['Ingress'],
        ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ protocol: 'TCP', port: 8080 }] }],
      },
    })
    await Promise.all([
      cluster.createPod('db', { node: 'b', command: ['node', '-e', SERVER] }),
      cluster.createPod('web', { node: 'a' }),
      cluster.createPod('other', { node: 'a' }),
    ])
  }, 180_000)
  afterAll(() => cluster?.stop())

  const verdict = async (from: string, to: string): Promise<VerdictReport> => {
    const { code, stdout, stderr } = await cluster.biplane('verdict', from, to, '-o', 'json')
    if (code !== 0) throw new Error(stderr)
    return JSON.parse(stdout) as VerdictReport
  }
  /** Whether a pod is answered by the service. */
  const reaches = async (pod: string, address: string): Promise<boolean> =>
    (await cluster.inPod(pod, ['curl', '-sS', '--max-time', '2', `http://${address}/`])).stdout === 'here'

  test('a verdict is what the packet meets, with the rule that decides and what the kernel has counted', { timeout: 120_000 }, async () => {
    const address = (await cluster.client.of(services).get('db', { namespace: 'default' })).spec?.clusterIP as string
    const allowed = await poll('the service has its endpoint', async () => {
      const report = await verdict('web', 'db')
      return report.ways.length > 0 ? report : undefined
    })
    expect(allowed).toMatchObject({ node: 'a', service: { action: 'forward', service: 'default/db' } })
    expect(allowed.ways).toMatchObject([
      {
        port: 8080,
        target: 'pod default/db',
        node: 'b',
        outcome: 'allowed',
        route: { owner: 'biplane node' },
        ingress: { verdict: 'accept', policy: 'default/web-only', rule: 0 },
      },
    ])
    await poll('web is answered', async () => (await reaches('web', address)) || undefined)
    const denied = await verdict('default/other', 'svc/db')
    expect(denied.ways).toMatchObject([{ outcome: 'denied', ingress: { verdict: 'deny', policy: 'default/web-only' } }])
    expect(await reaches('other', address)).toBe(false)
    // now the kernel has counted both
    expect((await verdict('other', 'db')).ways[0]?.ingress?.packets).toBeGreaterThan(0)
    expect((await verdict('web', 'db')).ways[0]?.ingress?.packets).toBeGreaterThan(0)
    const { stdout } = await cluster.biplane('verdict', 'other', 'db.default:80')
    expect(stdout).toMatch(
      /ingress {3}deny \(Drop\): no ingress rule of NetworkPolicy\/default\/web-only accepts it \[\d+ packets, \d+ bytes\] {3}\(node b\)/,
    )
    expect(stdout).toMatch(/\nverdict {3}denied\n$/)
  })

  test('nodes say which revisions are in force', { timeout: 60_000 }, async () => {
    const told = await poll('the Lease has them', async () => {
      const lease = await cluster.client.of(leases).get('b', { namespace: 'kube-node-lease' })
      const applied = parseApplied(lease.metadata.annotations).filter(({ revision }) => revision !== undefined)
      return applied.length === 2 ? applied : undefined
    })
    expect(told.map(({ component }) => component).toSorted()).toEqual(['policies', 'services'])
    const { status } = await cluster.client.of(nodes).get('b')
    expect(findCondition(status?.conditions, 'NetworkUnavailable')).toMatchObject({ status: 'False', reason: 'KernelNetworkReady' })
    expect(findCondition(status?.conditions, 'PacketPlaneDegraded')).toMatchObject({ status: 'False' })
  })

  test('routes and peers of every router, through the API and over its socket', { timeout: 120_000 }, async () => {
    await cluster.client.of(routers).create({ metadata: { name: 'all' }, spec: { asn: 64_512, advertise: { staticRoutes: true } } })
    await cluster.client.of(staticRoutes).create({ metadata: { name: 'hole' }, spec: { prefix: '203.0.113.0/24', type: 'Blackhole' } })
    const shown = await poll(
      'both routers have the route in the kernel',
      async () => {
        const { stdout } = await cluster.biplane('routes', '203.0.113.0/24')
        const isThere = ['a', 'b'].every((node) => stdout.includes(`203.0.113.0/24 on ${node}\n`))
        return isThere && stdout.split('a route of type blackhole refuses it').length === 3 ? stdout : undefined
      },
      { withinMs: 60_000 },
    )
    expect(shown).toMatch(/203\.0\.113\.0\/24 on a\n[^]*203\.0\.113\.0\/24 on b\n/)
    const table = await cluster.biplane('routes', '--node', 'a')
    expect(table.stdout).toMatch(/^NODE +PREFIX .*\n(?:.*\n)*a +203\.0\.113\.0\/24 +best /)
    const local = await cluster.biplaneOn('a', [
      'routes',
      '203.0.113.0/24',
      '--local',
      '--data-dir',
      cluster.node('a').dataDir,
      '--name',
      'a',
    ])
    expect(local.stdout).toContain('203.0.113.0/24 on a\n')
    const peers = await cluster.biplane('peers', '-o', 'json')
    expect((JSON.parse(peers.stdout) as { answer?: object }[]).map(({ answer }) => answer)).toMatchObject([
      { node: 'a', peers: [] },
      { node: 'b', peers: [] },
    ])
  })
})
