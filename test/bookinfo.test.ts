import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pod } from '../src/api/generated/types.ts'
import { Cluster } from './support/cluster.ts'
import { poll } from './support/poll.ts'
import { MANIFESTS, requirements } from './support/requirements.ts'
import { request, Traffic } from './support/traffic.ts'

const needed = await requirements({ root: true, manifests: true })
const DEPLOYMENTS = ['details-v1', 'productpage-v1', 'ratings-v1', 'reviews-v1', 'reviews-v2', 'reviews-v3']
const REPLACED_WITHIN_MS = 2_000

describe.skipIf(needed.missing !== '')(`unmodified Bookinfo${needed.suffix}`, () => {
  let cluster: Cluster
  let url: string

  beforeAll(async () => {
    cluster = await Cluster.start({ kubectl: needed.kubectl, manifests: ['examples/bookinfo/recipes.yaml'] })
    await cluster.kubectl('apply', '-f', join(MANIFESTS, 'bookinfo/bookinfo.yaml'))
    await cluster.kubectl('wait', '--for=condition=Available', 'deployment', '--all', '--timeout=60s')
    url = `${await cluster.serviceUrl('productpage')}/productpage`
  })
  afterAll(() => cluster?.stop())

  test('all pods are Running and Ready', async () => {
    const pods = await cluster.list<Pod>('pods')
    expect(pods.map(({ metadata }) => metadata.labels?.['app'] + '-' + metadata.labels?.['version']).sort()).toEqual(DEPLOYMENTS)
    for (const pod of pods) {
      expect([pod.status?.phase, isReady(pod), restartsOf(pod)], pod.metadata.name).toEqual(['Running', true, 0])
      expect(cluster.pidsOf(pod), pod.metadata.name).toHaveLength(1)
    }
  })

  test('the page shows details, and reviews of every version with their stars, over service names', async () => {
    const seen = new Set<string>()
    await poll('answers of all three versions of reviews', async () => {
      const { status, body } = await request(url)
      expect(status).toBe(200)
      expect(body).toContain('PublisherA')
      const stars = body.match(/data-stars="\d" data-color="\w+"/g) ?? []
      seen.add(stars.join(' '))
      return seen.size === 3 ? true : undefined
    })
    const line = (color: string): string => `data-stars="5" data-color="${color}" data-stars="4" data-color="${color}"`
    expect([...seen].sort()).toEqual(['', line('black'), line('red')])

    const [page] = await cluster.list<Pod>('pods', '-l', 'app=productpage')
    const hosts = readFileSync(`/proc/${cluster.pidsOf(page as Pod)[0]}/root/etc/hosts`, 'utf8')
    for (const service of ['details', 'reviews', 'ratings']) expect(hosts).toMatch(new RegExp(`^127\\S+\t.*\\b${service}$`, 'm'))
  })

  test('kill -9 of the control plane: no request fails, and no pod restarts', async () => {
    const before = await snapshot(cluster)
    const traffic = new Traffic(url, (body) => (body.includes('class="error"') ? 'the page shows an error' : undefined))
    try {
      await poll('traffic', () => (traffic.answered >= 20 ? true : undefined))
      const killed = cluster.child('control-plane') ?? 0
      const [killedAt, answeredBefore] = [performance.now(), traffic.answered]
      expect(killed).toBeGreaterThan(0)
      process.kill(killed, 'SIGKILL')
      await poll('another control plane', () => ((cluster.child('control-plane') ?? killed) === killed ? undefined : true))
      await poll('control plane is ready', async () => (await cluster.kubectl('get', '--raw', '/readyz')) === 'ok' || undefined)
      const backAfterMs = performance.now() - killedAt
      // the way through controllers, scheduler and node works again
      await cluster.kubectl('scale', 'deployment/ratings-v1', '--replicas=2')
      await cluster.kubectl('rollout', 'status', 'deployment/ratings-v1', '--timeout=60s')
      await poll('traffic goes on', () => (traffic.answered >= answeredBefore + 100 ? true : undefined))
      console.log(`control plane killed: back after ${backAfterMs.toFixed(0)} ms, ${traffic.answered} requests answered`)
    } finally {
      await traffic.stop()
    }
    expect(traffic.failures).toEqual([])
    expect(await snapshot(cluster)).toMatchObject(before)
  })

  test(`kill -9 of a replica: it is replaced within ${REPLACED_WITHIN_MS} ms`, async () => {
    const service = `${await cluster.serviceUrl('details')}/health`
    const [pod] = await cluster.list<Pod>('pods', '-l', 'app=details')
    const name = pod?.metadata.name ?? ''
    const [pid = 0] = cluster.pidsOf(pod as Pod)
    process.kill(pid, 'SIGKILL')
    const killedAt = performance.now()
    await poll('details answers', async () => ((await request(service)).status === 200 ? true : undefined), { everyMs: 20 })
    const answeredMs = performance.now() - killedAt
    const replaced = await poll(
      'details is Ready again',
      async () => {
        const now = await cluster.get<Pod>('pod', name)
        return restartsOf(now) === 1 && isReady(now) ? now : undefined
      },
      { everyMs: 20 },
    )
    const readyMs = performance.now() - killedAt
    console.log(`replica killed: answers after ${answeredMs.toFixed(0)} ms, seen Ready by kubectl after ${readyMs.toFixed(0)} ms`)
    expect(replaced.status?.containerStatuses?.[0]?.lastState?.terminated).toMatchObject({ exitCode: 137 })
    expect(cluster.pidsOf(replaced)).not.toContain(pid)
    expect(Math.max(answeredMs, readyMs)).toBeLessThan(REPLACED_WITHIN_MS)
  })
})

/** Of every pod: its uid, restarts and processes. */
async function snapshot(cluster: Cluster): Promise<Record<string, unknown>> {
  const pods = await cluster.list<Pod>('pods')
  return Object.fromEntries(
    pods.map((pod) => [pod.metadata.name, { uid: pod.metadata.uid, restarts: restartsOf(pod), pids: cluster.pidsOf(pod) }]),
  )
}

function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
}

function restartsOf(pod: Pod): number {
  return (pod.status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0)
}
