import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pod } from '../src/api/generated/types.ts'
import { Cluster } from './support/cluster.ts'
import { poll } from './support/poll.ts'
import { requirements } from './support/requirements.ts'
import { request, Traffic } from './support/traffic.ts'

const needed = await requirements()
const isRoot = process.getuid?.() === 0
const NOBODY = 65534

describe.each([
  { who: isRoot ? 'as root' : 'without root', uid: undefined },
  // a user who is nobody special, as on a laptop
  ...(isRoot ? [{ who: 'without root', uid: NOBODY }] : []),
])(`biplane up -f examples/shop $who${needed.suffix}`, ({ who, uid }) => {
  let cluster: Cluster
  let url: string

  beforeAll(async () => {
    if (needed.missing !== '') return
    const startedAt = performance.now()
    cluster = await Cluster.start({ kubectl: needed.kubectl, manifests: ['examples/shop'], ...(uid === undefined ? {} : { uid }) })
    await poll('applied', async () => (await cluster.list('deployments')).length === 3 || undefined)
    await cluster.kubectl('wait', '--for=condition=Available', 'deployment', '--all', '--timeout=60s')
    console.log(`shop ${who}: all available ${(performance.now() - startedAt).toFixed(0)} ms after the start of up, seen by kubectl`)
    url = await cluster.serviceUrl('web')
  })
  afterAll(() => cluster?.stop())

  test.skipIf(needed.missing !== '')('the page is answered by all three replicas of api, which reach orders', async () => {
    const replicas = new Set<string>()
    await poll('three replicas', async () => {
      const { body } = await request(url)
      expect(body).toMatch(/^Welcome to the shop \(web 1, #1d4ed8, pod web-/)
      expect(body).toMatch(/0 orders in orders-/)
      for (const [, pod] of body.matchAll(/^ {2}(api-\S+) x\d$/gm)) replicas.add(pod ?? '')
      return replicas.size === 3 ? true : undefined
    })
  })

  test.skipIf(needed.missing !== '')('a roll-out of web shows version 2 and loses no request; undo brings version 1 back', async () => {
    const traffic = new Traffic(url, (body) => (body.startsWith('Welcome') ? undefined : body))
    try {
      await cluster.kubectl('set', 'image', 'deployment/web', 'web=shop/web:2')
      await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s')
      await poll('version 2 everywhere', () => allAnswer(url, '(web 2, #15803d,'))
      await cluster.kubectl('rollout', 'undo', 'deployment/web')
      await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s')
      await poll('version 1 everywhere', () => allAnswer(url, '(web 1, #1d4ed8,'))
    } finally {
      await traffic.stop()
    }
    console.log(`shop ${who}: ${traffic.answered} requests answered during roll-out and undo`)
    expect(traffic.failures).toEqual([])
    expect(traffic.answered).toBeGreaterThan(20)
  })

  // it takes a kubelet's minute, and is the same for every user: once is enough
  if (uid !== undefined) return
  test.skipIf(needed.missing !== '')('the catalogue changes while api runs', async () => {
    const catalogue = JSON.stringify([{ id: 'boat', name: 'Boat', price: '9' }])
    await cluster.kubectl('patch', 'configmap/shop', '-p', JSON.stringify({ data: { 'catalogue.json': catalogue } }))
    const api = await cluster.serviceUrl('api')
    await poll('new catalogue', async () => (await request(`${api}/`)).body.includes('"boat"') || undefined, { withinMs: 90_000 })
    expect((await cluster.list<Pod>('pods', '-l', 'app=api')).map(({ status }) => status?.containerStatuses?.[0]?.restartCount)).toEqual([
      0, 0, 0,
    ])
  })
})

/** Ten answers in a row. */
async function allAnswer(url: string, text: string): Promise<true | undefined> {
  for (let i = 0; i < 10; i++) if (!(await request(url)).body.includes(text)) return undefined
  return true
}
