import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll, YAML11_SCHEMA } from 'js-yaml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pod } from '../src/api/generated/types.ts'
import type { KubeObject } from '../src/api/meta/object.ts'
import { Cluster } from './support/cluster.ts'
import { poll } from './support/poll.ts'
import { MANIFESTS, requirements } from './support/requirements.ts'
import { request } from './support/traffic.ts'

const needed = await requirements({ manifests: true })
const isRoot = process.getuid?.() === 0

describe.skipIf(needed.missing !== '')(`public manifests, unmodified, with kubectl 1.35${needed.suffix}`, () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await Cluster.start({ kubectl: needed.kubectl, manifests: ['examples/guestbook/recipes.yaml'] })
  })
  afterAll(() => cluster?.stop())

  test.each([
    ['guestbook', 'guestbook.yaml', 6],
    ['bookinfo', 'bookinfo/bookinfo.yaml', 14],
  ])('%s: every object is accepted and exists as sent', async (namespace, file, count) => {
    await applyAndCompare(cluster, { namespace, file, count })
  })

  test.skipIf(!isRoot)(
    `the guestbook runs and keeps messages${isRoot ? '' : ' (skipped: its page listens on port 80, which needs root)'}`,
    async () => {
      await cluster.kubectl('wait', '-n', 'guestbook', '--for=condition=Available', 'deployment', '--all', '--timeout=60s')
      const { spec } = await cluster.get<KubeObject & { spec: { clusterIP: string } }>('service/frontend', '-n', 'guestbook')
      const ask = async (query: Record<string, string>): Promise<unknown> => {
        const { status, body } = await request(`http://${spec.clusterIP}/guestbook.php?${new URLSearchParams(query).toString()}`)
        return status === 200 ? JSON.parse(body) : body
      }
      expect((await request(`http://${spec.clusterIP}/`)).body).toContain('<title>Guestbook</title>')
      await poll('master takes a message', async () =>
        ((await ask({ cmd: 'set', key: 'messages', value: 'hello' })) as { message?: string }).message === 'Updated' ? true : undefined,
      )
      await poll('replicas have it', async () =>
        ((await ask({ cmd: 'get', key: 'messages' })) as { data?: string }).data === 'hello' ? true : undefined,
      )
    },
  )

  test('online boutique: every object is accepted and exists as sent; pods without a recipe wait, and say how to get one', async () => {
    // its requests fill two cores
    await cluster.kubectl('delete', 'deployment', '--all', '-n', 'guestbook', '--timeout=60s')
    await applyAndCompare(cluster, { namespace: 'boutique', file: 'online-boutique.yaml', count: 35 })
    const waiting = await poll('all pods have been tried', async () => {
      const pods = await cluster.list<Pod>('pods', '-n', 'boutique')
      // an init container holds the load generator back
      const own = pods.filter(({ spec }) => !spec?.initContainers && spec?.containers[0]?.image?.includes('microservices-demo'))
      const states = own.flatMap(({ status }) => status?.containerStatuses ?? []).filter(({ state }) => state?.waiting?.message)
      const unschedulable = own.filter(({ status }) => status?.conditions?.some(({ reason }) => reason === 'Unschedulable'))
      return states.length + unschedulable.length === 10 && states.length >= 5 ? states : undefined
    })
    for (const { state, image } of waiting) {
      expect(state?.waiting?.reason, image).toBe('ImageNotRunnableAsProcess')
      expect(state?.waiting?.message).toMatch(/create an ImageRecipe with spec\.images \["us-central1-docker\.pkg\.dev\/.*\*"\]/)
    }
  })
})

/** Applies a manifest, compares every object with what was sent, and applies it again. */
async function applyAndCompare(
  cluster: Cluster,
  { namespace, file, count }: { readonly namespace: string; readonly file: string; readonly count: number },
): Promise<void> {
  const path = join(MANIFESTS, file)
  const documents = loadAll(readFileSync(path, 'utf8'), { schema: YAML11_SCHEMA }) as (KubeObject | undefined)[]
  const sent = documents.filter((object) => object !== undefined && object !== null)
  expect(sent).toHaveLength(count)
  const apply = async (): Promise<readonly string[]> => (await cluster.kubectl('apply', '-n', namespace, '-f', path)).trim().split('\n')
  await cluster.kubectl('create', 'namespace', namespace)
  expect((await apply()).filter((line) => line.endsWith(' created'))).toHaveLength(count)
  for (const object of sent) {
    expect(await cluster.get(`${object.kind}/${object.metadata.name}`, '-n', namespace)).toMatchObject(object)
  }
  // exits 1 and prints it when there is a difference
  expect(await cluster.kubectl('diff', '-n', namespace, '-f', path)).toBe('')
  expect((await apply()).filter((line) => !line.endsWith(' unchanged'))).toEqual([])
}
