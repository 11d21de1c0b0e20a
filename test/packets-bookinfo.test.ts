import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { networkPolicies } from '../src/api/networking/v1/network-policy.ts'
import { nodes } from '../src/api/core/v1/node.ts'
import { pods } from '../src/api/core/v1/pod.ts'
import { services } from '../src/api/core/v1/service.ts'
import { labProblem, type Segment } from '../src/testing/network-lab/index.ts'
import { anotherBuild, companion, routerLog } from './packets-support/companions.ts'
import { established, fabricAddresses, routeOverFabric } from './packets-support/fabric-routing.ts'
import { ALLOWED, DEFAULT_DENY } from './packets-support/policies.ts'
import { Visitors } from './packets-support/visitors.ts'
import { LabCluster } from './support/lab-cluster.ts'
import { poll } from './support/poll.ts'
import { REPOSITORY } from './support/program.ts'
import { MANIFESTS, requirements } from './support/requirements.ts'

const needed = await requirements({ root: true, manifests: true })
const missing = [needed.missing, labProblem()].filter((text) => text !== '').join(', ')
const NODES = ['a', 'b', 'c'] as const
/** Answers that each visitor must get between two troubles. */
const BETWEEN = 20

/**
 * Bookinfo and the guestbook on three machines with two ways between them, everything denied that is not allowed. Visitors on every node ask without a
 * pause, by name, over new and over kept connections, while links are cut and processes are killed and upgraded: no request may fail.
 */
describe.skipIf(missing !== '')(
  `services, names, policies and routes of three nodes${missing === '' ? '' : ` (skipped: ${missing})`}`,
  () => {
    let cluster: LabCluster
    let visitors: Visitors
    const kubectl = (...args: readonly string[]): Promise<string> => cluster.kubectl(...args)

    beforeAll(async () => {
      cluster = await LabCluster.start({ nodes: NODES, topology: 'fabric', nodeArgs: ['--node-routes', 'none'] })
      await routeOverFabric(cluster)
      for (const policy of [DEFAULT_DENY, ...ALLOWED]) await cluster.client.of(networkPolicies).create(policy)
      for (const example of ['bookinfo', 'guestbook']) await kubectl('apply', '-f', join(REPOSITORY, 'examples', example, 'recipes.yaml'))
      await kubectl('apply', '-f', join(MANIFESTS, 'bookinfo/bookinfo.yaml'), '-f', join(MANIFESTS, 'guestbook.yaml'))
      await kubectl('wait', '--for=condition=Available', 'deployment', '--all', '--timeout=60s')
      visitors = await Visitors.start(cluster, {
        book: ['http://productpage:9080/productpage', 'PublisherA', 'class="error"'],
        guest: ['http://frontend/guestbook.php?cmd=get&key=messages', 'data'],
      })
      await visitors.served(BETWEEN)
    }, 180_000)
    afterAll(() => cluster?.stop())

    /** Runs `trouble` under traffic, waits for more answers, and expects that all of them came. */
    const under = async (what: string, trouble: () => Promise<void>): Promise<void> => {
      const before = visitors.count()
      await trouble()
      await visitors.served(BETWEEN)
      const { answered, failures, slowestMs } = visitors.count()
      console.log(
        `${what}: ${answered - before.answered} requests answered, ${failures.length - before.failures.length} failed, slowest so far ${slowestMs} ms`,
      )
      const failed = failures.slice(before.failures.length)
      if (failed.length > 0) console.log(NODES.map((node) => routerLog(cluster, node)).join('\n'))
      expect(failed).toEqual([])
    }

    test('pods run on all nodes, and the guestbook keeps what is written into it', async () => {
      const list = (await cluster.client.of(pods).list()).items
      expect(new Set(list.map(({ spec }) => spec?.nodeName))).toEqual(new Set(NODES))
      const { spec } = await cluster.client.of(services).get('frontend', { namespace: 'default' })
      const page = `http://${spec?.clusterIP}/guestbook.php`
      const ask = async (query: string): Promise<string> =>
        (await cluster.inPod('visitor-guest-a', ['curl', '-sS', '--max-time', '5', `${page}?${query}`])).stdout
      expect(await ask('cmd=set&key=messages&value=hello')).toContain('Updated')
      await poll('all replicas have it', async () => {
        const answers = await Promise.all(Array.from({ length: 10 }, () => ask('cmd=get&key=messages')))
        return answers.every((answer) => answer.includes('hello')) || undefined
      })
    })

    test('what no policy allows does not get through, and the node says which policy it was', async () => {
      const list = (await cluster.client.of(pods).list()).items
      const ratings = list.find(({ metadata }) => metadata.labels?.['app'] === 'ratings')
      const ip = ratings?.status?.podIP ?? ''
      const { code } = await cluster.inPod('visitor-book-b', ['curl', '-sS', '--max-time', '1', `http://${ip}:9080/health`])
      expect(code).toBe(28)
      const answer = JSON.parse(
        await kubectl(
          'get',
          '--raw',
          `/api/v1/nodes/b/proxy/verdict?from=${(await podIp('visitor-book-b')) ?? ''}&to=${ip}&protocol=TCP&port=9080`,
        ),
      ) as { readonly ways: readonly { readonly egress?: { readonly verdict: string; readonly reason: string } }[] }
      expect(answer.ways[0]?.egress?.verdict).toBe('deny')
      expect(answer.ways[0]?.egress?.reason).toContain('default-deny')
      const told = await poll('the denial is told of', async () => {
        const { denials } = JSON.parse(await kubectl('get', '--raw', '/api/v1/nodes/b/proxy/packet-counters')) as {
          readonly denials: readonly Record<string, unknown>[]
        }
        return denials.find(({ sourcePod, destination }) => sourcePod === 'default/visitor-book-b' && destination === ip)
      })
      expect(told).toMatchObject({ destinationPort: 9080, protocol: 'TCP', direction: 'egress', denyAction: 'Drop' })
      expect(String(told['policies'])).toContain('default/default-deny')
    })

    test('a link is cut, another falls silent: the other way carries all', async () => {
      const [left, right] = [segment('left'), segment('right')]
      await under('left link of b cut and healed', async () => {
        await left.cut(cluster.node('b').host)
        await waysFrom('a', 'b', ['right'])
        await visitors.served(BETWEEN)
        await left.heal(cluster.node('b').host)
        await established(cluster)
      })
      await under('right link of c silent and healed', async () => {
        await right.blackhole(cluster.node('c').host)
        await waysFrom('a', 'c', ['left'])
        await visitors.served(BETWEEN)
        await right.heal(cluster.node('c').host)
        await established(cluster)
      })
    }, 180_000)

    test('the control plane is killed: nothing notices', async () => {
      await under('control plane killed and started', async () => {
        await cluster.kill('control-plane')
        await visitors.served(BETWEEN)
        await cluster.startControlPlane()
        await Promise.all(NODES.map((node) => cluster.ready(node)))
      })
    }, 120_000)

    test('the agents are killed, one after the other, while there is no control plane', async () => {
      await under('agents killed and started', async () => {
        await cluster.kill('control-plane')
        for (const node of NODES) {
          await cluster.kill(node)
          await visitors.served(BETWEEN)
          cluster.startNode(node)
        }
        await visitors.served(BETWEEN)
        await cluster.startControlPlane()
        await Promise.all(NODES.map((node) => cluster.ready(node)))
      })
    }, 180_000)

    test('the routers are killed: peers and kernels keep their routes', async () => {
      await under('routers killed', async () => {
        for (const node of NODES) {
          const router = await companion(cluster, node, 'router')
          process.kill(router.pid, 'SIGKILL')
          await companion(cluster, node, 'router', router)
          await established(cluster)
          await visitors.served(BETWEEN)
        }
      })
    }, 180_000)

    test('everything is upgraded, one node after the other', async () => {
      cluster.program = anotherBuild(cluster.dir)
      await under('control plane upgraded', async () => {
        await cluster.kill('control-plane', 'SIGTERM')
        await cluster.startControlPlane()
      })
      for (const node of NODES) {
        await under(`agent, router and DNS of ${node} upgraded`, async () => {
          const before = { router: await companion(cluster, node, 'router'), dns: await companion(cluster, node, 'dns') }
          await cluster.kill(node, 'SIGTERM')
          cluster.startNode(node)
          await cluster.ready(node)
          for (const role of ['router', 'dns'] as const)
            expect((await companion(cluster, node, role, before[role])).launch).not.toBe(before[role].launch)
          await established(cluster)
        })
      }
    }, 240_000)

    test('both ways to every node are in the forwarding table', async () => {
      for (const node of NODES) for (const other of NODES) if (node !== other) await waysFrom(node, other, ['left', 'right'])
    })

    // last: a request that waited for a link may fail long after it is back
    test('with both links cut requests fail: the counting can tell', async () => {
      const [left, right, { host }] = [segment('left'), segment('right'), cluster.node('c')]
      const before = visitors.count().failures.length
      await Promise.all([left.cut(host), right.cut(host)])
      await poll('requests fail', () => (visitors.count().failures.length > before ? true : undefined))
      await Promise.all([left.heal(host), right.heal(host)])
      await established(cluster)
      await waysFrom('a', 'c', ['left', 'right'])
    }, 120_000)

    /** Waits until a node's route to the pods of another goes by just these links. */
    const waysFrom = async (node: string, other: string, links: readonly ('left' | 'right')[]): Promise<void> => {
      const { spec } = await cluster.client.of(nodes).get(other)
      const [left, right] = fabricAddresses(cluster, other)
      const wanted = links.map((link) => (link === 'left' ? left : right))
      await poll(`${node} reaches ${other} by ${links.join(' and ')}`, async () => {
        const shown = await cluster.node(node).host.must(['ip', 'route', 'show', spec?.podCIDR ?? '', 'proto', '190'])
        const ways = [left, right].filter((address) =>
          new RegExp(`via ${address.replaceAll('.', '\\.')} dev \\S+(?! .*(dead|linkdown))`).test(shown),
        )
        if (ways.join() === wanted.join()) return true
        throw new Error(shown)
      })
    }
    const segment = (name: string): Segment => cluster.segments.get(name) as Segment
    const podIp = async (name: string): Promise<string | undefined> =>
      (await cluster.client.of(pods).get(name, { namespace: 'default' })).status?.podIP
  },
)
